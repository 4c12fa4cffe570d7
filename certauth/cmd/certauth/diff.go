package main

import (
	"crypto/x509"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth/policyfile"
)

var diffCommand = &command{
	name: "diff", args: "OLD NEW", short: "who gains and who loses by another policy document",
	long: `
It shows the rules that are in one document only or in another place, judges the cases of both documents
by both, and with -replay the recorded certificates: a file of JSON lines {"certificate": BASE64-DER, "at":
TIME}, of which "at" may be left out. Nothing is asked about revocation: -revocation says what to assume of
recorded certificates. A caller that gets another role gains, and one that only loses a role loses.
Source, gate, mode, exclusions and revocation checks are compared as they are written, because who gains by
them does not depend on certificates alone.

  certauth diff policy.json new.json
  certauth diff -replay decisions.jsonl policy.json new.json

Exit status: 0 no difference; 1 a difference, even if no case or record shows whom it concerns; 2 a
document or record could not be read.`,
	run: runDiff,
}

// changed is a caller for whom the decision differs.
type changed struct {
	Who   string `json:"who"`
	Old   string `json:"old"`
	New   string `json:"new"`
	Times int    `json:"times,omitempty"`
}

type diffAnswer struct {
	Removed  []string  `json:"removed,omitempty"`
	Added    []string  `json:"added,omitempty"`
	Beside   []string  `json:"beside,omitempty"`   // names of members other than the policy that differ
	Contents []string  `json:"contents,omitempty"` // names behind which both have different files
	Cases    []changed `json:"cases,omitempty"`
	Gains    []changed `json:"gains,omitempty"`
	Loses    []changed `json:"loses,omitempty"`
	Other    []changed `json:"other,omitempty"` // refused for another reason
	Replayed int       `json:"replayed,omitempty"`
}

func runDiff(p *program, c *command, args []string) (int, error) {
	fs := p.flags(c)
	replay := fs.String("replay", "", "`FILE` of recorded certificates, - for stdin")
	status := fs.String("revocation", "good", "assume `WORD` of recorded certificates: good, revoked, unknown or unavailable")
	asJSON := fs.Bool("json", false, "write JSON")
	rest, err := p.parse(c, fs, args, 2, 2)
	if err != nil {
		return 0, err
	}
	assume, ok := statuses[*status]
	if !ok {
		return 0, usageError{"-revocation: want good, revoked, unknown or unavailable"}
	}
	if *replay == "" && given(fs, "revocation") {
		return 0, usageError{"-revocation is for the certificates of -replay; each case names its own status"}
	}
	old, err := newSide(p, rest[0], assume)
	if err != nil {
		return 0, err
	}
	defer func() { _ = old.doc.Close() }() // no longer used to judge
	now, err := newSide(p, rest[1], assume)
	if err != nil {
		return 0, err
	}
	defer func() { _ = now.doc.Close() }()
	d := &differ{p: p, old: old, new: now, answer: &diffAnswer{}, groups: map[string]map[changed]int{}, now: p.now()}
	d.answer.Removed, d.answer.Added = compareRules(old.written["policy"], now.written["policy"])
	removed, added := compareMaterial(old.doc.Authenticator().String(), now.doc.Authenticator().String())
	d.answer.Removed, d.answer.Added = append(d.answer.Removed, removed...), append(d.answer.Added, added...)
	d.answer.Beside, d.answer.Contents = old.beside(now), old.otherContents(now)
	if err := d.cases(); err != nil {
		return 0, err
	}
	if *replay != "" {
		if err := d.replay(*replay); err != nil {
			return 0, err
		}
	}
	d.finish()
	a := d.answer
	if *asJSON {
		err = p.json(a)
	} else {
		d.print()
	}
	if a.differs() {
		return exitNo, err
	}
	return exitOK, err
}

// differs reports whether there is anything to show. A rule that differs counts without a case or a record that shows
// it, because the callers whom it lets in may never have come before.
func (a *diffAnswer) differs() bool {
	return len(a.Removed)+len(a.Added)+len(a.Beside)+len(a.Contents)+len(a.Cases)+len(a.Gains)+len(a.Loses)+len(a.Other) > 0
}

type differ struct {
	p        *program
	old, new *side
	answer   *diffAnswer
	groups   map[string]map[changed]int
	now      time.Time
	replayed bool
	certs    []*x509.Certificate // of both documents
	// everyMoment means that a decision may change at any moment.
	everyMoment bool
	offsets     []time.Duration
	mutex       sync.Mutex // of answer and groups, while workers run
}

// cases judges the cases of both documents by both. Cases of the same name count as one, that of the old
// document.
func (d *differ) cases() error {
	all := slices.Clone(d.old.doc.Cases)
	for _, c := range d.new.doc.Cases {
		if !slices.ContainsFunc(d.old.doc.Cases, func(other policyfile.Case) bool { return other.Name == c.Name }) {
			all = append(all, c)
		}
	}
	old, err := d.old.judge(d.p.ctx, all)
	if err != nil {
		return err
	}
	now, err := d.new.judge(d.p.ctx, all)
	if err != nil {
		return err
	}
	for i, c := range all {
		if old[i] != now[i] {
			d.answer.Cases = append(d.answer.Cases, changed{Who: c.Name, Old: old[i], New: now[i]})
		}
	}
	return nil
}

func (d *differ) request(value string) (*http.Request, error) {
	r, err := http.NewRequestWithContext(d.p.ctx, http.MethodGet, "/", http.NoBody)
	if err == nil {
		r.Header[judgeHeader] = []string{value}
		r.Header[judgeFlag] = []string{"1"}
	}
	return r, err
}

func (d *differ) finish() {
	for kind, list := range map[string]*[]changed{"gains": &d.answer.Gains, "loses": &d.answer.Loses, "other": &d.answer.Other} {
		for _, one := range slices.SortedFunc(maps.Keys(d.groups[kind]), func(a, b changed) int { return strings.Compare(a.Who+a.New, b.Who+b.New) }) {
			times := d.groups[kind][one]
			one.Times = times
			*list = append(*list, one)
		}
	}
}

func (d *differ) print() {
	p, a := d.p, d.answer
	for _, line := range a.Removed {
		fmt.Fprintln(p.out, p.paint(red, "- "+line))
	}
	for _, line := range a.Added {
		fmt.Fprintln(p.out, p.paint(green, "+ "+line))
	}
	if len(a.Beside) > 0 {
		fmt.Fprintf(p.out, "\nDifferent beside the policy: %s. Who gains or loses by that does not depend on certificates alone.\n", strings.Join(a.Beside, ", "))
	}
	for _, name := range a.Contents {
		fmt.Fprintf(p.out, "\nDifferent content behind the same name: %q\n", name)
	}
	show := func(title string, list []changed) {
		if len(list) == 0 {
			return
		}
		fmt.Fprintf(p.out, "\n%s\n", title)
		for _, one := range list {
			times := ""
			if one.Times > 0 {
				times = fmt.Sprintf("  (%d times)", one.Times)
			}
			fmt.Fprintf(p.out, "  %s%s\n    was %s\n    is  %s\n", visible(one.Who), times, visible(one.Old), visible(one.New))
		}
	}
	show("cases that come out differently", a.Cases)
	show("who gains", a.Gains)
	show("who loses", a.Loses)
	show("who is refused for another reason", a.Other)
	if d.replayed {
		fmt.Fprintf(p.out, "\n%d decisions replayed.\n", a.Replayed)
	}
	if !a.differs() {
		fmt.Fprintln(p.out, "no difference")
	}
}
