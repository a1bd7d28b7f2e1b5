//! Signals to the processes of a test.

pub use rustix::process::Signal;

/// Sends a signal to a process of this test.
pub fn signal(process_id: u32, signal: Signal) {
    let pid = i32::try_from(process_id).ok().and_then(rustix::process::Pid::from_raw);
    let pid = pid.expect("a process id is a positive number");
    rustix::process::kill_process(pid, signal)
        .expect("the process is our child and is not reaped yet");
}
