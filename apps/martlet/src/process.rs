//! What a broker is to the system: a process with a number, a user, a place in the background, a manager of services.

mod background;
mod pid_file;
mod privileges;
mod service;

pub(crate) use background::{go_on_alone, is_in_background, start_in_background};
pub(crate) use pid_file::PidFile;
pub(crate) use privileges::become_user;
pub(crate) use service::{State, tell_manager};
