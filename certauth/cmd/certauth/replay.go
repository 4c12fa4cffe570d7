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
)

// recorded is one line of a replay.
type recorded struct {
	Certificate string    `json:"certificate"`
	At          time.Time `json:"at"`
}

// replay judges the records on all cores, a batch of lines at a time.
func (d *differ) replay(name string) error {
	d.replayed = true
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
	scanner.Buffer(make([]byte, 1<<16), maxRecord)
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
	if err := scanner.Err(); err != nil {
		if errors.Is(err, bufio.ErrTooLong) {
			err = fmt.Errorf("a line of more than %d bytes, want JSON lines", maxRecord)
		}
		failed = errors.Join(failed, fmt.Errorf("%s:%d: %w", name, number+1, err))
	}
	return failed
}

// maxRecord bounds the length of a line.
const maxRecord = 1 << 20

type batch struct {
	first int // number of the first line
	lines [][]byte
}

// replayer is one worker. A decision depends only on the certificate, the document, and the interval
// between certain times in which it is made. The decision for one record therefore holds for all
// similar ones.
type replayer struct {
	d        *differ
	old, new *side
	request  *http.Request
	moments  map[[sha256.Size]byte][]time.Time // by certificate
	known    map[recordKey]outcome
	counts   map[outcome]int
	replayed int
}

type recordKey struct {
	certificate [sha256.Size]byte
	between     int // number of moments before the decision
}

// outcome holds the decisions of both documents for a caller; kind is empty if they agree.
type outcome struct {
	kind string
	changed
}

// maxKnown bounds the outcomes that a worker remembers, with about 100 bytes each.
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
			if moments, ok = w.d.moments(one.Certificate); !ok {
				return fmt.Errorf("%s:%d: \"certificate\" is not the base64 of a certificate in DER", name, b.first+i)
			}
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
	old, had, wasIn := w.old.decide(w.request, at)
	now, has, isIn := w.new.decide(w.request, at)
	if old == now {
		return outcome{}
	}
	kind := "other"
	switch {
	case isIn && (!wasIn || anyOutside(has, had)):
		kind = "gains"
	case wasIn && (!isIn || anyOutside(had, has)):
		kind = "loses"
	}
	return outcome{kind, changed{Who: whose(certificate), Old: old, New: now}}
}

// anyOutside reports whether one of the roles is none of the others.
func anyOutside(roles, others []string) bool {
	return slices.ContainsFunc(roles, func(role string) bool { return !slices.Contains(others, role) })
}

// moments returns the times at which a decision about the certificate can change, sorted: the limits
// of its validity and of those of all certificates of both documents, moved by the rules on dates.
// Each of them is listed twice, for the time itself and for the interval after it. It returns false if
// a certificate cannot be read.
func (d *differ) moments(certificate string) (list []time.Time, ok bool) {
	certs := d.certs
	for text := range strings.SplitSeq(certificate, ",") { // the leaf and the certificates sent along
		der, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return nil, false
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, false
		}
		certs = append(certs[:len(certs):len(certs)], cert)
	}
	for _, cert := range certs {
		for _, end := range []time.Time{cert.NotBefore, cert.NotAfter} {
			for _, offset := range d.offsets {
				list = append(list, end.Add(offset), end.Add(offset+1))
			}
		}
	}
	slices.SortFunc(list, time.Time.Compare)
	return list, true
}

// dates collects the dates, other than those of the caller's certificate, on which decisions by a
// policy depend.
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
			d.everyMoment = true // the dates of its certificates are not known here
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

// finish adds the worker's counts.
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

// whose names the leaf by its subject and the beginning of its hash.
func whose(certificates string) string {
	leaf, _, _ := strings.Cut(certificates, ",")
	der, _ := base64.StdEncoding.DecodeString(leaf)
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return "(cannot be read)" // moments has read it
	}
	sum := sha256.Sum256(der)
	return nameOf(cert.RawSubject) + " " + hex.EncodeToString(sum[:8])
}
