package main

import (
	"fmt"
	"strings"
	"time"
)

func (p *program) printExplanation(a *explanation) {
	head, colour := a.Decision, green
	if a.Reason != "" {
		head, colour = a.Decision+": "+a.Reason, red
	}
	fmt.Fprintln(p.out, p.paint(colour, visible(head)))
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(p.out, "  %-8s %s\n", name, visible(value))
		}
	}
	row("rule", a.Rule)
	row("where", a.Where)
	row("found", a.Detail)
	row("next", a.Next)
	row("roles", strings.Join(a.Roles, ", "))
	row("subject", a.Subject)
	row("ends", a.NotAfter)
	row("at", a.At)
	for _, note := range a.Notes {
		row("note", note)
	}
	if a.Tree != nil {
		fmt.Fprintln(p.out)
		p.printVerdict(a.Tree, 0)
	}
}

func (p *program) printVerdict(v *verdict, depth int) {
	sign, colour := map[string]string{verdictAccepts: "yes", verdictRefuses: "NO ", verdictUnknown: " - "}[v.Verdict], green
	switch v.Verdict {
	case verdictRefuses:
		colour = red
	case verdictUnknown:
		colour = dim
	}
	line := strings.Repeat("  ", depth) + visible(v.Text)
	if v.Line > 0 {
		line += p.paint(dim, fmt.Sprintf("  (line %d)", v.Line))
	}
	if v.Took > 0 {
		line += p.paint(dim, "  "+v.Took.Round(time.Microsecond).String())
	}
	if v.Decides {
		line += p.paint(red, "  <- decides")
	}
	fmt.Fprintf(p.out, "%s %s\n", p.paint(colour, sign), line)
	if v.Reason != "" || v.Verdict == verdictUnknown && v.Detail != "" && len(v.Children) == 0 {
		text := v.Detail
		if v.Reason != "" {
			text = v.Reason + ": " + text
		}
		fmt.Fprintf(p.out, "    %s%s\n", strings.Repeat("  ", depth), visible(text))
	}
	for _, child := range v.Children {
		p.printVerdict(child, depth+1)
	}
}
