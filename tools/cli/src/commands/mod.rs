//! One file per command.

pub(crate) mod bind;
pub(crate) mod call;
pub(crate) mod completions;
pub(crate) mod context;
pub(crate) mod describe;
pub(crate) mod events;
pub(crate) mod explain;
pub(crate) mod get;
pub(crate) mod history;
pub(crate) mod inspect;
pub(crate) mod invoke;
pub(crate) mod keys;
pub(crate) mod kv;
pub(crate) mod login;
pub(crate) mod logs;
pub(crate) mod new;
pub(crate) mod par;
pub(crate) mod pull;
pub(crate) mod push;
pub(crate) mod rollback;
pub(crate) mod runtime;
pub(crate) mod scale;
pub(crate) mod sign;
pub(crate) mod spy;
pub(crate) mod start;
pub(crate) mod stop;
pub(crate) mod token;
pub(crate) mod top;
pub(crate) mod update;
pub(crate) mod verify;
pub(crate) mod why;

mod complete;
mod edits;
mod follow;
mod host;
mod known;
mod live;
mod subject;
mod up;

use std::process::ExitCode;

use crate::cli::Command;
use crate::failure::Failure;
use crate::global::Form;
use crate::output::Output;

/// Does what was asked, and gives the exit code.
pub(crate) fn run(command: Command, output: Output) -> ExitCode {
    if let Err(unfit) = fits(&command, output.form()) {
        return output.finish(Err(unfit));
    }
    output.finish(match command {
        Command::Keys(keys) => keys.run(output),
        Command::New(new) => new.run(output),
        Command::Sign(args) => sign::run(&args, output),
        Command::Inspect(args) => inspect::run(&args, output),
        Command::Verify(args) => verify::run(&args, output),
        Command::Par(par) => par.run(output),
        Command::Call(args) => call::run(*args, output),
        Command::Push(args) => push::run(&args, output),
        Command::Pull(args) => pull::run(&args, output),
        Command::Login(args) => login::log_in(&args, output),
        Command::Logout(args) => login::log_out(&args, output),
        // It tells of its failures itself, a line each like everything it prints.
        Command::Up(args) => return up::run(*args, output),
        Command::Get(args) => get::run(&args, output),
        Command::Describe(args) => describe::run(&args, output),
        Command::Invoke(args) => invoke::run(&args, output),
        Command::Kv(kv) => kv.run(output),
        Command::Token(token) => token.run(output),
        Command::Update(update) => update.run(output),
        Command::Start(start) => start.run(output),
        Command::Stop(stop) => stop.run(output),
        Command::Scale(scale) => scale.run(output),
        Command::Bind(args) => bind::bind(&args, output),
        Command::Unbind(args) => bind::unbind(&args, output),
        Command::Rollback(args) => rollback::run(&args, output),
        Command::History(args) => history::run(&args, output),
        Command::Events(args) => events::run(&args, output),
        Command::Logs(args) => logs::run(&args, output),
        Command::Spy(args) => spy::run(&args, output),
        Command::Why(args) => why::run(&args, output),
        Command::Context(context) => context.run(output),
        Command::Top(args) => top::run(&args, output),
        Command::Explain(args) => explain::run(&args, output),
        Command::Completions(args) => completions::run(&args, output),
        // The engine that started it reads its exit code and stderr: nothing is added to them.
        Command::Compile => return trellis_engine::compile_child_main(),
        Command::Launch(args) => return trellis_app::launch(args),
    })
}

/// Whether a command's results have this form.
fn fits(command: &Command, form: Form) -> Result<(), Failure> {
    let lists = || {
        Failure::usage("`-o wide` and `-o name` are for the lists of `get`, `history` and others")
            .cure("Leave it out, or write `-o json` or `-o yaml`.")
    };
    match command {
        Command::Get(_)
        | Command::History(_)
        | Command::Events(_)
        | Command::Why(_)
        | Command::Context(_) => Ok(()),
        _ if form.is_for_lists() => Err(lists()),
        Command::Up(_) if form == Form::Yaml => {
            Err(Failure::usage("`trellis up` prints text or, with `-o json`, a document a line"))
        }
        _ => Ok(()),
    }
}
