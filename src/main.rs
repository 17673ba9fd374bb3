//! The executable: hands over to the library at once.

fn main() {}
