//! As many instances as the load asks for, where `--instances` leaves a choice (`2..8`). docs/autoscaling.md is the user's view.
//!
//! | file | subject |
//! | --- | --- |
//! | `decide` | pure: how many instances an app should have |
//! | `figures` | pure: what is seen of an app, from the views of it |
//! | `follow` | looks once a second, and has apps scaled as is decided; only while there is an app with a range |

pub mod decide;
mod figures;
mod follow;

pub use follow::Follower;
