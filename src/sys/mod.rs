//! System calls that neither std nor nix offers in the shape we need; the only place for `unsafe`.

pub mod reuseport;
pub mod socket;
