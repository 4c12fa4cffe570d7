package main

import (
	"fmt"
	"strings"
)

var completionsCommand = &command{
	name: "completions", args: "bash|zsh|fish", short: "completions for a shell",
	long: `
For bash:  source <(certauth completions bash)
For zsh:   source <(certauth completions zsh)
For fish:  certauth completions fish | source`,
	run: func(p *program, c *command, args []string) (int, error) {
		rest, err := p.parse(c, p.flags(c), args, 1, 1)
		if err != nil {
			return 0, err
		}
		var names []string
		for _, one := range p.all {
			names = append(names, one.name)
		}
		words := strings.Join(names, " ")
		const flagsOf = `certauth "$1" -h 2>/dev/null | sed -n 's/^  \(-[a-z0-9-]*\).*/\1/p'`
		bash := fmt.Sprintf(`_certauth_flags() { %s; }
_certauth() {
	local cur=${COMP_WORDS[COMP_CWORD]}
	if [ "$COMP_CWORD" -eq 1 ]; then
		COMPREPLY=($(compgen -W "%s" -- "$cur"))
	elif [ "${cur:0:1}" = - ]; then
		COMPREPLY=($(compgen -W "$(_certauth_flags "${COMP_WORDS[1]}")" -- "$cur"))
	fi
}
complete -o default -F _certauth certauth
`, flagsOf, words)
		switch rest[0] {
		case "bash":
			fmt.Fprint(p.out, bash)
		case "zsh":
			fmt.Fprint(p.out, "autoload -U +X bashcompinit && bashcompinit\n"+bash)
		case "fish":
			for _, one := range p.all {
				fmt.Fprintf(p.out, "complete -c certauth -n __fish_use_subcommand -f -a %s -d '%s'\n", one.name, strings.ReplaceAll(one.short, "'", `\'`))
			}
			fmt.Fprintf(p.out, "complete -c certauth -n 'not __fish_use_subcommand' -a '(set -l c (commandline -opc); certauth $c[2] -h 2>/dev/null | string match -r \"^  (-[a-z0-9-]+)\" -g)'\n")
		default:
			return 0, usageError{fmt.Sprintf("no shell %q", rest[0])}
		}
		return exitOK, nil
	},
}
