package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"reflect"
	"runtime"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
	"github.com/seed2886b8ae/go-certauth/certauth/policyfile"
)

var diffCommand = &command{
	name: "diff", args: "OLD NEW", short: "who gains and who loses by another policy document",
	long: `
It shows the rules that are in one document only, judges the cases of both documents by both, and with
-replay the recorded certificates: a file of JSON lines {"certificate": BASE64-DER, "at": TIME}, of which
"at" may be left out. Nothing is asked about revocation: -revocation says what to assume.

Exit status 1: somebody gains or loses.`,
	run: runDiff,
}

// changed is somebody whose decision differs.
type changed struct {
	Who   string `json:"who"`
	Old   string `json:"old"`
	New   string `json:"new"`
	Times int    `json:"times,omitempty"`
}

type diffAnswer struct {
	Removed  []string  `json:"removed,omitempty"`
	Added    []string  `json:"added,omitempty"`
	Cases    []changed `json:"cases,omitempty"`
	Gains    []changed `json:"gains,omitempty"`
	Loses    []changed `json:"loses,omitempty"`
	Other    []changed `json:"other,omitempty"` // another reason, or other roles
	Replayed int       `json:"replayed,omitempty"`
}

func runDiff(p *program, c *command, args []string) (int, error) {
	fs := p.flags(c)
	replay := fs.String("replay", "", "`FILE` of recorded certificates, - for stdin")
	status := fs.String("revocation", "good", "assume `WORD`: good, revoked, unknown or unavailable")
	asJSON := fs.Bool("json", false, "write JSON")
	rest, err := p.parse(c, fs, args, 2, 2)
	if err != nil {
		return 0, err
	}
	assume, ok := statuses[*status]
	if !ok {
		return 0, usageError{"-revocation: want good, revoked, unknown or unavailable"}
	}
	old, err := newSide(rest[0], assume)
	if err != nil {
		return 0, err
	}
	defer func() { _ = old.doc.Close() }() // nothing is judged any more
	now, err := newSide(rest[1], assume)
	if err != nil {
		return 0, err
	}
	defer func() { _ = now.doc.Close() }()
	d := &differ{p: p, old: old, new: now, answer: &diffAnswer{}, groups: map[string]map[changed]int{}, now: p.now()}
	d.rules()
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
	if len(a.Cases)+len(a.Gains)+len(a.Loses) > 0 {
		return exitNo, err
	}
	return exitOK, err
}

// side is one of the two documents, for one worker.
type side struct {
	doc    *policyfile.Document
	config certauth.Config
	auth   *certauth.Authenticator
	now    time.Time
}

// again makes a side for another worker.
func (s *side) again() (*side, error) {
	own := &side{doc: s.doc, config: s.config}
	config := s.config
	config.Now = func() time.Time { return own.now }
	var err error
	own.auth, err = certauth.New(config)
	return own, err
}

func newSide(name string, assume certauth.RevocationStatus) (*side, error) {
	doc, err := policyfile.Load(name, certauth.Config{})
	if err != nil {
		return nil, err
	}
	config, err := doc.WithoutGate(&assumed{assume})
	if err != nil {
		return nil, errors.Join(err, doc.Close())
	}
	s := &side{doc: doc, config: certauth.Config{
		Source: forwarded.Header{
			From: forwarded.InsecureAnyPeer(), Name: judgeHeader, Format: forwarded.FormatBase64DERList,
			Require: []forwarded.Flag{{Header: judgeFlag, Value: "1"}}, FrontEndVerifies: sourceVerifies(config.Source),
		},
		Policy: config.Policy,
	}}
	if s, err = s.again(); err != nil {
		return nil, errors.Join(err, doc.Close())
	}
	return s, nil
}

// decide says in a few words what becomes of the certificates.
func (s *side) decide(r *http.Request, at time.Time) (decision string, in bool) {
	s.now = at
	id, err := s.auth.Check(r)
	if refused, ok := errors.AsType[*certauth.Error](err); ok {
		return string(refused.Reason) + " by " + refused.Rule, false
	}
	if err != nil {
		return err.Error(), false
	}
	if len(id.Matched) == 0 {
		return "accepted", true
	}
	return "accepted as " + strings.Join(id.Matched, ", "), true
}

type differ struct {
	p        *program
	old, new *side
	answer   *diffAnswer
	groups   map[string]map[changed]int
	now      time.Time
	certs    []*x509.Certificate // of both documents
	// everyMoment: a decision may change at any moment.
	everyMoment bool
	offsets     []time.Duration
	mutex       sync.Mutex // of answer and groups, while workers run
}

// rules compares what the documents say, line by line of the printed policy, each with its path.
func (d *differ) rules() {
	old, now := lines(d.old.doc.Authenticator().String()), lines(d.new.doc.Authenticator().String())
	for _, line := range old {
		if !slices.Contains(now, line) {
			d.answer.Removed = append(d.answer.Removed, line)
		}
	}
	for _, line := range now {
		if !slices.Contains(old, line) {
			d.answer.Added = append(d.answer.Added, line)
		}
	}
}

// lines gives each line the lines it stands under.
func lines(text string) []string {
	var list, above []string
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		depth := (len(line) - len(strings.TrimLeft(line, " "))) / 2
		above = append(above[:min(depth, len(above))], strings.TrimSpace(line))
		list = append(list, strings.Join(above, " > "))
	}
	return list
}

func (d *differ) cases() error {
	seen := map[string]bool{}
	for _, doc := range []*policyfile.Document{d.old.doc, d.new.doc} {
		for _, c := range doc.Cases {
			if c.Certificate == nil || seen[c.Name] {
				continue
			}
			seen[c.Name] = true
			certs := materialOf(c.Certificate)
			if len(certs) == 0 {
				return fmt.Errorf("case %q: its certificate cannot be read", c.Name)
			}
			at := d.p.now()
			if c.At != nil {
				at = *c.At
			}
			r, err := d.request(base64List(certs))
			if err != nil {
				return err
			}
			old, _ := d.old.decide(r, at)
			now, _ := d.new.decide(r, at)
			if old != now {
				d.answer.Cases = append(d.answer.Cases, changed{Who: c.Name, Old: old, New: now})
			}
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

// recorded is one line of a replay.
type recorded struct {
	Certificate string    `json:"certificate"`
	At          time.Time `json:"at"`
}

// replay judges the records on all cores, a batch of lines at a time.
func (d *differ) replay(name string) error {
	from := d.p.stdin
	if name != "-" {
		file, err := os.Open(name) //nolint:gosec // the operator names it
		if err != nil {
			return err
		}
		defer file.Close()
		from = file
	}
	d.offsets = []time.Duration{0}
	d.dates(d.old.config.Policy)
	d.dates(d.new.config.Policy)
	batches := make(chan batch, 2*runtime.NumCPU())
	var wait sync.WaitGroup
	var failed error
	for range runtime.NumCPU() {
		w, err := newReplayer(d)
		if err != nil {
			return err
		}
		wait.Go(func() {
			for b := range batches {
				if err := w.judge(name, b); err != nil {
					d.mutex.Lock()
					failed = errors.Join(failed, err)
					d.mutex.Unlock()
				}
			}
			w.finish()
		})
	}
	scanner := bufio.NewScanner(from)
	scanner.Buffer(make([]byte, 1<<16), 1<<20)
	next := batch{first: 1}
	number := 0
	for scanner.Scan() {
		number++
		next.lines = append(next.lines, bytes.Clone(scanner.Bytes()))
		if len(next.lines) == 1000 {
			batches <- next
			next = batch{first: number + 1}
			if d.p.colour {
				fmt.Fprintf(d.p.errs, "%d\r", number)
			}
		}
	}
	batches <- next
	close(batches)
	wait.Wait()
	return errors.Join(scanner.Err(), failed)
}

type batch struct {
	first int // number of the first line
	lines [][]byte
}

// replayer is one worker. A decision depends on the certificate, the document, and on which side of
// certain moments it is made: so what was decided for one record holds for the next one like it.
type replayer struct {
	d        *differ
	old, new *side
	request  *http.Request
	moments  map[[sha256.Size]byte][]time.Time // of each certificate
	known    map[recordKey]outcome
	counts   map[outcome]int
	replayed int
}

type recordKey struct {
	certificate [sha256.Size]byte
	between     int // after so many of the moments
}

// outcome is what became of somebody by both documents; an empty kind says the same.
type outcome struct {
	kind string
	changed
}

// maxKnown bounds what a worker remembers, some 100 bytes each.
const maxKnown = 1 << 18

func newReplayer(d *differ) (*replayer, error) {
	old, err := d.old.again()
	if err != nil {
		return nil, err
	}
	now, err := d.new.again()
	if err != nil {
		return nil, err
	}
	r, err := d.request("")
	return &replayer{d: d, old: old, new: now, request: r, moments: map[[sha256.Size]byte][]time.Time{}, known: map[recordKey]outcome{}, counts: map[outcome]int{}}, err
}

func (w *replayer) judge(name string, b batch) error {
	for i, line := range b.lines {
		if len(line) == 0 {
			continue
		}
		var one recorded
		if err := json.Unmarshal(line, &one); err != nil || one.Certificate == "" {
			return fmt.Errorf("%s:%d: want {\"certificate\": BASE64-DER, \"at\": TIME}", name, b.first+i)
		}
		at := one.At
		if at.IsZero() {
			at = w.d.now
		}
		key := recordKey{certificate: sha256.Sum256([]byte(one.Certificate))}
		moments, ok := w.moments[key.certificate]
		if !ok {
			if len(w.moments) >= maxKnown {
				clear(w.moments)
			}
			moments = w.d.moments(one.Certificate)
			w.moments[key.certificate] = moments
		}
		key.between = sort.Search(len(moments), func(i int) bool { return moments[i].After(at) })
		result, ok := w.known[key]
		if !ok || w.d.everyMoment {
			result = w.decide(one.Certificate, at)
			if len(w.known) >= maxKnown {
				clear(w.known)
			}
			w.known[key] = result
		}
		w.replayed++
		if result.kind != "" {
			w.counts[result]++
		}
	}
	return nil
}

func (w *replayer) decide(certificate string, at time.Time) outcome {
	w.request.Header[judgeHeader][0] = certificate
	old, wasIn := w.old.decide(w.request, at)
	now, isIn := w.new.decide(w.request, at)
	if old == now {
		return outcome{}
	}
	kind := "other"
	switch {
	case isIn && !wasIn:
		kind = "gains"
	case wasIn && !isIn:
		kind = "loses"
	}
	return outcome{kind, changed{Who: whose(certificate), Old: old, New: now}}
}

// moments are those at which a decision about the certificate can change, sorted: the ends of its
// validity and of all certificates of both documents, moved by what the documents say of dates.
// Each stands there twice, for itself and for what comes after it.
func (d *differ) moments(certificate string) []time.Time {
	certs := d.certs
	for text := range strings.SplitSeq(certificate, ",") { // with others beside it
		der, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			continue
		}
		if cert, err := x509.ParseCertificate(der); err == nil {
			certs = append(certs[:len(certs):len(certs)], cert)
		}
	}
	var list []time.Time
	for _, cert := range certs {
		for _, end := range []time.Time{cert.NotBefore, cert.NotAfter} {
			for _, offset := range d.offsets {
				list = append(list, end.Add(offset), end.Add(offset+1))
			}
		}
	}
	slices.SortFunc(list, time.Time.Compare)
	return list
}

// dates collects what decisions by a policy depend on beside the caller's certificate.
func (d *differ) dates(policy certauth.Policy) {
	switch p := policy.(type) {
	case certauth.All:
		for _, member := range p {
			d.dates(member)
		}
	case certauth.Any:
		d.dates(certauth.All(p))
	case certauth.Not:
		d.dates(p.Policy)
	case certauth.Named:
		d.dates(p.Policy)
	case certauth.AcceptServerAuth:
		d.dates(p.Policy)
	case certauth.Chain:
		if reflect.TypeOf(p.Roots) == reflect.TypeOf(certauth.InsecureSystemRoots()) {
			d.everyMoment = true // their dates are not known here
		}
		d.certs = append(append(d.certs, materialOf(p.Roots)...), materialOf(p.Intermediates)...)
	case certauth.Validity:
		for _, offset := range []time.Duration{p.ClockSkew, -p.ClockSkew, -p.MinRemaining} {
			if !slices.Contains(d.offsets, offset) {
				d.offsets = append(d.offsets, offset)
			}
		}
	}
}

// finish adds what the worker has counted.
func (w *replayer) finish() {
	w.d.mutex.Lock()
	defer w.d.mutex.Unlock()
	w.d.answer.Replayed += w.replayed
	for result, times := range w.counts {
		if w.d.groups[result.kind] == nil {
			w.d.groups[result.kind] = map[changed]int{}
		}
		w.d.groups[result.kind][result.changed] += times
	}
}

// whose names a certificate by its subject and the beginning of its hash.
func whose(text string) string {
	der, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return "not base64"
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return "no certificate"
	}
	sum := sha256.Sum256(der)
	return nameOf(cert.RawSubject) + " " + hex.EncodeToString(sum[:8])
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
			fmt.Fprintf(p.out, "  %s%s\n    was %s\n    is  %s\n", one.Who, times, one.Old, one.New)
		}
	}
	show("cases that come out differently", a.Cases)
	show("who gains", a.Gains)
	show("who loses", a.Loses)
	show("who is refused, or known, for another reason", a.Other)
	if a.Replayed > 0 {
		fmt.Fprintf(p.out, "\n%d decisions replayed.\n", a.Replayed)
	}
	if len(a.Removed)+len(a.Added)+len(a.Cases)+len(a.Gains)+len(a.Loses)+len(a.Other) == 0 {
		fmt.Fprintln(p.out, "no difference")
	}
}
