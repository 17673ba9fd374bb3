//! The supervisor against a fake kernel and made-up time: scenarios, one rule each, and properties of random histories.

mod cron;
mod delay;
mod drain;
mod fleet;
mod happening;
mod health;
mod init;
mod memory;
mod operate;
mod properties;
mod readiness;
mod reload;
mod restart;
mod scale;
mod standby;
mod start;
mod stop;
mod strain;
mod watch;
mod words;
mod world;
