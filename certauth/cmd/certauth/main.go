// Command certauth answers operators' questions about forwarded client certificates: what a
// certificate contains, why it was refused, whether a policy is right, and whether a site is
// configured correctly.
//
// To list the commands, with a tagged version or with the version in a clone of the repository:
//
//	go run github.com/seed2886b8ae/go-certauth/certauth/cmd/certauth@latest -h
//	go -C certauth/cmd/certauth run . -h
//
// It exits with 0 if all is well, with 1 if the answer is no (a refusal, a mistake in a policy, an
// error of the audit, a certificate to renew), and with 2 if the question could not be answered.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// Exit codes.
const (
	exitOK     = 0
	exitNo     = 1
	exitFailed = 2
)

// program is one run of the command, with everything that it may access.
type program struct {
	ctx    context.Context
	stdin  io.Reader
	out    io.Writer
	errs   io.Writer
	colour bool // stdout is a terminal
	now    func() time.Time
	all    []*command
}

// command is one of the subcommands.
type command struct {
	name, args, short string
	long              string
	// run parses the flags itself, by p.parse.
	run func(p *program, c *command, args []string) (int, error)
}

func commands() []*command {
	return []*command{
		inspectCommand, explainCommand, checkCommand, diffCommand, auditCommand,
		revocationCommand, pkiCommand, frontEndCommand, schemaCommand, completionsCommand,
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop) // a second interrupt ends what does not look at ctx, such as a read of stdin
	p := &program{ctx: ctx, stdin: os.Stdin, out: os.Stdout, errs: os.Stderr, now: time.Now, colour: isTerminal(os.Stdout), all: commands()}
	code := p.main(os.Args[1:])
	stop()
	os.Exit(code)
}

// isTerminal reports whether colours make sense; NO_COLOR switches them off.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// main runs the command of args. If the output could not be written, there is no answer.
func (p *program) main(args []string) int {
	out := &output{to: p.out}
	p.out = out
	code := p.command(args)
	if out.failed != nil && code != exitFailed {
		fmt.Fprintf(p.errs, "certauth: the output is not whole: %v\n", out.failed)
		return exitFailed
	}
	return code
}

// output keeps the first error of its writer.
type output struct {
	to     io.Writer
	failed error
}

func (o *output) Write(text []byte) (int, error) {
	if o.failed != nil {
		return 0, o.failed
	}
	n, err := o.to.Write(text)
	o.failed = err
	return n, err
}

func (p *program) command(args []string) int {
	if len(args) == 0 {
		p.usage(p.errs)
		return exitFailed
	}
	switch args[0] {
	case "-h", "-help", "--help", "help":
		if len(args) == 1 || strings.HasPrefix(args[1], "-") {
			p.usage(p.out)
			return exitOK
		}
		args = []string{args[1], "-h"}
	}
	for _, c := range p.all {
		if c.name != args[0] {
			continue
		}
		code, err := c.run(p, c, args[1:])
		if errors.Is(err, flag.ErrHelp) {
			return exitOK
		}
		if err == nil && p.ctx.Err() != nil && c.name != "front-end" { // which only an interrupt ends
			err = errors.New("interrupted, so that this is no answer")
		}
		if err != nil {
			fmt.Fprintf(p.errs, "certauth %s: %s\n", c.name, visibleLines(err.Error()))
			return exitFailed
		}
		return code
	}
	fmt.Fprintf(p.errs, "certauth: no command %s; \"certauth -h\" lists them\n", quotedArgument(args[0]))
	return exitFailed
}

func (p *program) usage(w io.Writer) {
	fmt.Fprint(w, "certauth answers questions about forwarded client certificates.\n\nUsage: certauth COMMAND [flags] [arguments]\n\n")
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, c := range p.all {
		fmt.Fprintf(table, "  %s\t%s\n", c.name, c.short)
	}
	_ = table.Flush()
	fmt.Fprint(w, "\n\"certauth COMMAND -h\" says more.\n\nExit status: 0 all is well; 1 the answer is no; 2 it could not be answered.\n")
}

// usageError is a mistake in the command line.
type usageError struct{ text string }

func (e usageError) Error() string { return e.text + " (-h says more)" }

// flags returns the flag set of a command, whose help describes the whole command.
func (p *program) flags(c *command) *flag.FlagSet {
	fs := flag.NewFlagSet(c.name, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Usage = func() {}
	return fs
}

// parse accepts flags and arguments in any order, and between least and most arguments.
func (p *program) parse(c *command, fs *flag.FlagSet, args []string, least, most int) ([]string, error) {
	isPEM := func(arg string) bool { return strings.HasPrefix(arg, "-----BEGIN") } // not a flag
	rest := slices.DeleteFunc(slices.Clone(args), func(arg string) bool { return !isPEM(arg) })
	args = slices.DeleteFunc(slices.Clone(args), isPEM)
	for len(args) > 0 {
		if err := fs.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				p.help(c, fs)
				return nil, err
			}
			return nil, usageError{err.Error()}
		}
		if args = fs.Args(); len(args) > 0 {
			rest, args = append(rest, args[0]), args[1:]
		}
	}
	switch {
	case slices.Contains(rest, ""):
		return nil, usageError{"an argument is empty; is a variable not set?"}
	case len(rest) < least:
		return nil, usageError{"an argument is missing; usage: " + usageOf(c, fs)}
	case len(rest) > most:
		return nil, usageError{fmt.Sprintf("an argument too many, %s; usage: %s", quotedArgument(rest[most]), usageOf(c, fs))}
	}
	return rest, nil
}

// given reports whether the command line contains the flag.
func given(fs *flag.FlagSet, name string) (found bool) {
	fs.Visit(func(f *flag.Flag) { found = found || f.Name == name })
	return found
}

// usageOf returns the command line of a command.
func usageOf(c *command, fs *flag.FlagSet) string {
	text := "certauth " + c.name
	fs.VisitAll(func(*flag.Flag) { text = "certauth " + c.name + " [flags]" })
	return strings.TrimSpace(text + " " + c.args)
}

func (p *program) help(c *command, fs *flag.FlagSet) {
	fmt.Fprintf(p.out, "certauth %s: %s\n\nUsage: %s\n\n%s\n", c.name, c.short, usageOf(c, fs), strings.TrimSpace(c.long))
	first := true
	fs.VisitAll(func(f *flag.Flag) {
		if first {
			fmt.Fprint(p.out, "\nFlags:\n")
			first = false
		}
		name, usage := flag.UnquoteUsage(f)
		line := "  -" + f.Name
		if name != "" {
			line += " " + name
		}
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "[]" && f.DefValue != "0s" {
			usage += " (default " + f.DefValue + ")"
		}
		fmt.Fprintf(p.out, "%s\n\t%s\n", line, usage)
	})
}

// json writes a value as JSON.
func (p *program) json(value any) error {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(value); err != nil {
		return err
	}
	_, err := io.WriteString(p.out, escaped(text.String(), escapeInJSON))
	return err
}

// paint colours a text if the output is a terminal.
func (p *program) paint(code, text string) string {
	if !p.colour {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

const (
	red    = "31"
	green  = "32"
	yellow = "33"
	dim    = "2"
)

// list is a flag that can be given several times.
type list []string

func (l *list) String() string { return fmt.Sprint(*l) }

func (l *list) Set(value string) error {
	*l = append(*l, value)
	return nil
}

// read reads a file, or stdin for "-".
func (p *program) read(name string) ([]byte, error) {
	const most = 64 << 20
	from := p.stdin
	if name != "-" {
		file, err := os.Open(name) //nolint:gosec // the operator names it
		if err != nil {
			return nil, err
		}
		defer file.Close()
		from = file
	}
	content, err := io.ReadAll(io.LimitReader(from, most+1))
	switch {
	case err != nil:
	case len(content) > most:
		err = fmt.Errorf("%s: more than %d bytes", name, most)
	case bytes.HasPrefix(content, []byte("\xff\xfe")) || bytes.HasPrefix(content, []byte("\xfe\xff")):
		err = fmt.Errorf("%s: this is UTF-16, as Windows PowerShell writes it by > and Out-File; save it as UTF-8", name)
	}
	return content, err
}
