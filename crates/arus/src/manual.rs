//! The manual page and the completions of shells, written from the flags themselves.

use std::fmt::Write;

use clap::builder::StyledStr;
use clap::{Arg, Command, CommandFactory, ValueEnum};

use crate::args::Cli;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Manual {
    /// For `man`
    Man,
    Bash,
    Zsh,
    Fish,
}

pub(crate) fn text(of: Manual) -> String {
    let mut command = Cli::command();
    command.build();
    match of {
        Manual::Man => man(&command),
        Manual::Bash => bash(&command),
        // Zsh reads bash's completions.
        Manual::Zsh => format!("#compdef arus\nautoload -U +X bashcompinit && bashcompinit\n{}", bash(&command)),
        Manual::Fish => fish(&command),
    }
}

fn commands(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|c| !c.is_hide_set() && c.get_name() != "help")
}

fn args(command: &Command) -> impl Iterator<Item = &Arg> {
    command.get_arguments().filter(|a| !a.is_hide_set() && !["help", "version"].contains(&a.get_id().as_str()))
}

/// Those of a command alone.
fn own_args(command: &Command) -> impl Iterator<Item = &Arg> {
    args(command).filter(|a| !a.is_global_set())
}

fn plain(text: Option<&StyledStr>) -> String {
    text.map(ToString::to_string).unwrap_or_default()
}

/// A text that no macro of roff begins in.
fn roff(text: &str) -> String {
    let escaped = text.replace('\\', "\\e").replace('-', "\\-");
    escaped
        .lines()
        .map(|l| if l.starts_with(['.', '\'']) { format!("\\&{l}") } else { l.into() })
        .collect::<Vec<_>>()
        .join("\n")
}

fn man(command: &Command) -> String {
    let mut out = format!(".TH ARUS 1 \"\" \"Arus {}\"\n.SH NAME\n", env!("CARGO_PKG_VERSION"));
    let about = plain(command.get_about());
    let mut line = |text: String| {
        out.push_str(&text);
        out.push('\n');
    };
    line(format!("arus \\- {}", roff(&about)));
    line(".SH SYNOPSIS\n.B arus\n[\\fIFLAGS\\fR] [\\fICOMMAND\\fR]\n.SH DESCRIPTION".into());
    line(roff(&plain(command.get_long_about().or(command.get_about()))));
    line(".SH COMMANDS".into());
    for sub in commands(command) {
        let of: Vec<String> = own_args(sub).filter(|a| a.is_positional()).map(value_name).collect();
        line(format!(".SS arus {} {}", roff(sub.get_name()), of.join(" ")));
        line(roff(&plain(sub.get_about())));
        own_args(sub).for_each(|arg| line(described(arg)));
    }
    line(".SH FLAGS\nFlags stand before their variables, those before arus.toml.".into());
    args(command).filter(|a| a.is_global_set()).for_each(|arg| line(described(arg)));
    line(".SH EXIT STATUS\n0: done. 1: the user's error. 2: a failure. 130: Ctrl\\-C.".into());
    line(".SH FILES\n.TP\n.B arus.toml\nFlags by their names, in the working folder.\n.TP\n.B arus\\-data\nThe folder of all state.".into());
    out
}

fn value_name(arg: &Arg) -> String {
    let names = arg.get_value_names().map(|n| n.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "));
    names.unwrap_or_else(|| arg.get_id().as_str().to_uppercase())
}

fn described(arg: &Arg) -> String {
    let mut head = String::new();
    if let Some(long) = arg.get_long() {
        write!(head, "\\fB\\-\\-{}\\fR", roff(long)).expect("a String takes all");
        if arg.get_action().takes_values() {
            write!(head, " \\fI{}\\fR", roff(&value_name(arg))).expect("a String takes all");
        }
    } else {
        write!(head, "\\fI{}\\fR", roff(&value_name(arg))).expect("a String takes all");
    }
    let variable = arg.get_env().map(|v| format!("\nVariable: {}.", v.to_string_lossy())).unwrap_or_default();
    format!(".TP\n{head}\n{}{}", roff(&plain(arg.get_help())), roff(&variable))
}

fn flags(command: &Command) -> Vec<String> {
    args(command).filter_map(|a| a.get_long()).map(|l| format!("--{l}")).collect()
}

fn bash(command: &Command) -> String {
    let names: Vec<&str> = commands(command).map(Command::get_name).collect();
    let mut cases = String::new();
    for sub in commands(command) {
        let own: Vec<String> = own_args(sub).filter_map(|a| a.get_long()).map(|l| format!("--{l}")).collect();
        writeln!(cases, "        {}) flags=\"$flags {}\" ;;", sub.get_name(), own.join(" "))
            .expect("a String takes all");
    }
    format!(
        "_arus() {{\n    local word=\"${{COMP_WORDS[COMP_CWORD]}}\" command= flags=\"{} --help --version\" w\n    \
         for w in \"${{COMP_WORDS[@]:1:COMP_CWORD-1}}\"; do\n        case \"$w\" in {}) command=$w ;; esac\n    done\n    \
         case \"$command\" in\n{cases}    esac\n    case \"$word\" in\n        -*) COMPREPLY=($(compgen -W \"$flags\" -- \"$word\")) ;;\n        \
         *) if [ -z \"$command\" ]; then COMPREPLY=($(compgen -W \"{}\" -- \"$word\")); else COMPREPLY=($(compgen -f -- \"$word\")); fi ;;\n    \
         esac\n}}\ncomplete -o filenames -F _arus arus\n",
        flags(command).join(" "),
        names.join("|"),
        names.join(" "),
    )
}

fn fish(command: &Command) -> String {
    let quoted = |text: String| text.replace('\\', "\\\\").replace('\'', "\\'").replace('\n', " ");
    let mut out = String::new();
    for arg in args(command) {
        let Some(long) = arg.get_long() else { continue };
        writeln!(out, "complete -c arus -l {long} -d '{}'", quoted(plain(arg.get_help()))).expect("a String takes all");
    }
    for sub in commands(command) {
        let (name, about) = (sub.get_name(), quoted(plain(sub.get_about())));
        writeln!(out, "complete -c arus -n __fish_use_subcommand -a {name} -d '{about}'").expect("a String takes all");
        for arg in own_args(sub) {
            let Some(long) = arg.get_long() else { continue };
            let about = quoted(plain(arg.get_help()));
            writeln!(out, "complete -c arus -n '__fish_seen_subcommand_from {name}' -l {long} -d '{about}'")
                .expect("a String takes all");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_in_every_text() {
        for of in [Manual::Man, Manual::Bash, Manual::Zsh, Manual::Fish] {
            let text = text(of);
            for word in ["apply", "doctor", "lose", "http", "kafka"] {
                assert!(text.contains(word), "{of:?}: no {word} in\n{text}");
            }
        }
    }
}
