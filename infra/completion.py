"""`./mpr completion`: the script with which a shell completes commands, options, environments and identities."""

from __future__ import annotations

from collections.abc import Mapping

import click
from click.shell_completion import get_completion_class

#: The variable with which the script asks for completions.
COMPLETE_VARIABLE = "_MPR_COMPLETE"
#: Bash and fish look for completions by the last part of a command's path, and zsh too: `./mpr` is `mpr`.
_PROGRAM = "mpr"
#: By shell, what to replace in click's script. Bash calls the command as typed; the others call `mpr` on PATH.
_AS_TYPED: Mapping[str, Mapping[str, str]] = {
    "bash": {},
    "zsh": {
        f"(( ! $+commands[{_PROGRAM}] )) && return 1": "",
        f"zsh_complete {_PROGRAM})": "zsh_complete ${~${(Q)words[1]}})",
    },
    "fish": {f"(commandline -t) {_PROGRAM})": "(commandline -t) (commandline -opc)[1])"},
}


@click.command()
@click.argument("shell", type=click.Choice(list(_AS_TYPED)))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script that completes commands, options, environments and identities in a shell.

    Bash and zsh: eval "$(./mpr completion bash)", with the name of the shell. Fish: ./mpr completion fish | source
    """
    shell_class = get_completion_class(shell)
    if shell_class is None:
        raise click.UsageError(f"this version of click has no completion for {shell}")
    script = shell_class(context.find_root().command, {}, _PROGRAM, COMPLETE_VARIABLE).source()
    for called, as_typed in _AS_TYPED[shell].items():
        script = script.replace(called, as_typed)
    click.echo(script)
