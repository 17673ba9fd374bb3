//! What the driver keeps of the pushes by OTLP, to show it, and for the program that takes over from us.

use std::cell::RefCell;
use std::rc::Rc;

use crate::otlp::starts::Starts;

/// Pushes that are under way.
#[derive(Debug)]
pub struct Pushes {
    /// Where to.
    pub endpoint: String,
    pub starts: Rc<RefCell<Starts>>,
}
