//! What the lines of single apps have of their own, where they do not look like all others.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::date::DateFormat;
use super::format::Format;
use super::line::Origin;
use crate::spec::AppId;

/// How one app's lines differ.
#[derive(Debug, Clone, Default)]
pub struct AppLook {
    /// Their form, whatever that of all others is.
    pub format: Option<Format>,
    /// The time before each, in raw and text.
    pub date: Option<DateFormat>,
}

/// Those of all apps that differ.
#[derive(Debug, Default)]
pub(super) struct Looks(RefCell<BTreeMap<AppId, Rc<AppLook>>>);

impl Looks {
    pub(super) fn set(&self, app: AppId, look: AppLook) {
        let mut looks = self.0.borrow_mut();
        if look.format.is_none() && look.date.is_none() {
            looks.remove(&app);
        } else {
            looks.insert(app, Rc::new(look));
        }
    }

    pub(super) fn of(&self, origin: &Origin) -> Option<Rc<AppLook>> {
        match origin {
            Origin::App { app, .. } => self.0.borrow().get(app).cloned(),
            Origin::Runtime { .. } => None,
        }
    }
}
