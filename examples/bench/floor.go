package main

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"hash/maphash"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// floor shows the minimal cost of the library's guarantees for a known caller's request: a handler
// that gives the same guarantees, written by hand for one front end and one policy, in one function
// and without configuration. It is a yardstick, not middleware: it reports no reasons, logs nothing,
// supports only HTTP/1.1, has no trailers, exclusions or routes, cannot reload, does not detect
// handlers that change an identity, does not recover panics, and copies nothing back for middleware
// outside.
//
// It guarantees on every request, as the library does (floor_test.go requires the same outcomes of
// both): the evidence that App Service's front end sent the request; one value of the header, of at
// most 16 KiB; no early data; no Connection header that names it or the evidence; a certificate
// recognised by its exact text; the current generation of the trust material; the dates of the chain
// by the wall clock; that each rule has accepted; the removal of the header in every spelling with
// "_" and "." for "-", and of a request for h2c; and the identity in a separate context and a copy of
// the request.
type floor struct {
	next       http.Handler
	hand       *byHand
	aliases    []string // the spellings other than certificateKey, as net/http's server writes them
	ssl        atomic.Pointer[string]
	generation atomic.Uint64 // of the trust material; a reload would raise it
	seed       maphash.Seed
	known      [1 << 13]atomic.Pointer[floorEntry]
}

// floorEntry is the remembered result for a certificate.
type floorEntry struct {
	text       string
	generation uint64
	from, to   int64 // of the chain, in nanoseconds of the wall clock
	rules      uint8 // the rules that have accepted
	leaf       *x509.Certificate
}

const (
	ruleChain = 1 << iota
	rulePin
	ruleName
	allRules = ruleChain | rulePin | ruleName

	floorWays = 8
)

func newFloor(hand *byHand, next http.Handler) *floor {
	return &floor{next: next, hand: hand, aliases: spellings(certificateHeader)[1:], seed: maphash.MakeSeed()}
}

// spellings returns the spellings of a header with "_" and "." for "-", the usual one first.
func spellings(name string) []string {
	all := []string{""}
	for _, c := range name {
		forms := []string{string(c)}
		if c == '-' {
			forms = []string{"-", "_", "."}
		}
		var longer []string
		for _, form := range forms {
			for _, begun := range all {
				longer = append(longer, begun+form)
			}
		}
		all = longer
	}
	for i := range all {
		all[i] = http.CanonicalHeaderKey(all[i])
	}
	return all
}

type floorKey struct{}

type floorContext struct {
	context.Context

	leaf *x509.Certificate
}

func (c *floorContext) Value(key any) any {
	if key == (floorKey{}) {
		return c.leaf
	}
	return c.Context.Value(key)
}

func (f *floor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header, ctx := r.Header, r.Context()
	values := header[certificateKey]
	trusted := r.ProtoMajor == 1 && (r.TLS == nil || len(r.TLS.PeerCertificates) == 0)
	if id := header["X-Arr-Log-Id"]; len(id) != 1 || id[0] == "" {
		trusted = false
	}
	if ssl := header["X-Arr-Ssl"]; len(ssl) != 1 {
		trusted = false
	} else if last := f.ssl.Load(); last == nil || *last != ssl[0] {
		if trusted = trusted && wellFormed(ssl[0]); trusted {
			f.ssl.Store(&ssl[0])
		}
	}
	if proto := header["X-Appservice-Proto"]; len(proto) > 0 && (len(proto) != 1 || proto[0] != "https") {
		trusted = false
	}
	if early := header["Early-Data"]; len(early) > 0 {
		trusted = false
	}
	if lines := header["Connection"]; len(lines) > 0 && namesOurs(lines) {
		trusted = false
	}
	delete(header, certificateKey)
	if server, _ := ctx.Value(http.ServerContextKey).(*http.Server); server != nil && server.Handler == http.Handler(f) { // no middleware has written other spellings
		for _, alias := range f.aliases {
			delete(header, alias)
		}
	} else {
		for name := range header {
			if len(name) == len(certificateHeader) && strings.EqualFold(strings.NewReplacer("_", "-", ".", "-").Replace(name), certificateHeader) {
				delete(header, name)
			}
		}
	}
	if len(header["Upgrade"]) > 0 {
		dropH2C(header)
	}
	if !trusted || len(values) != 1 || values[0] == "" || len(values[0]) > 16<<10 {
		http.Error(w, "refused", http.StatusUnauthorized)
		return
	}
	text, now, generation := values[0], time.Now().UnixNano(), f.generation.Load()
	hash := maphash.String(f.seed, text[max(0, len(text)-64):])
	for i := range uint64(floorWays) {
		e := f.known[(hash+i)%uint64(len(f.known))].Load()
		if e == nil || e.text != text {
			continue
		}
		if e.generation != generation || now < e.from || now > e.to || e.rules&allRules != allRules {
			break
		}
		f.next.ServeHTTP(w, r.WithContext(&floorContext{ctx, e.leaf}))
		return
	}
	e := f.first(text, generation)
	if e == nil || now < e.from || now > e.to || e.rules&allRules != allRules {
		http.Error(w, "refused", http.StatusUnauthorized)
		return
	}
	f.remember(hash, e)
	f.next.ServeHTTP(w, r.WithContext(&floorContext{ctx, e.leaf}))
}

// first checks a new certificate and returns the entry to remember.
func (f *floor) first(text string, generation uint64) *floorEntry {
	der, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || strings.ContainsAny(text, "\r\n") {
		return nil
	}
	leaf, chain, err := f.hand.verify(der)
	if err != nil {
		return nil
	}
	e := &floorEntry{text: strings.Clone(text), generation: generation, leaf: leaf, rules: ruleChain}
	e.from, e.to = leaf.NotBefore.UnixNano(), leaf.NotAfter.UnixNano()
	for _, cert := range chain {
		e.from, e.to = max(e.from, cert.NotBefore.UnixNano()), min(e.to, cert.NotAfter.UnixNano())
	}
	if f.hand.pinned(leaf) {
		e.rules |= rulePin
	}
	if slices.Contains(leaf.DNSNames, partnerName) {
		e.rules |= ruleName
	}
	return e
}

// remember puts an entry into a free place, or into one that the hash selects, because the table is
// bounded.
func (f *floor) remember(hash uint64, e *floorEntry) {
	at := hash % uint64(len(f.known))
	for i := range uint64(floorWays) {
		place := (hash + i) % uint64(len(f.known))
		if old := f.known[place].Load(); old == nil || old.text == e.text {
			at = place
			break
		}
	}
	f.known[at].Store(e)
}

// wellFormed checks the form of X-ARR-SSL: two numbers and two names.
func wellFormed(ssl string) bool {
	parts := strings.Split(ssl, "|")
	if len(ssl) > 2048 || len(parts) != 4 {
		return false
	}
	for _, number := range parts[:2] {
		if number == "" || len(number) > 6 || strings.Trim(number, "0123456789") != "" {
			return false
		}
	}
	return true
}

// namesOurs reports whether Connection names one of the headers, or is too long.
func namesOurs(lines []string) bool {
	folded := strings.NewReplacer("_", "-", ".", "-")
	size := 0
	for _, line := range lines {
		if size += len(line); size > 4<<10 {
			return true
		}
		for option := range strings.SplitSeq(line, ",") {
			option = strings.Trim(option, " \t")
			if strings.EqualFold(folded.Replace(option), certificateHeader) {
				return true
			}
			for _, name := range []string{"X-Arr-Log-Id", "X-Arr-Ssl", "X-Appservice-Proto"} {
				if strings.EqualFold(option, name) {
					return true
				}
			}
		}
	}
	return false
}

// dropH2C removes a request to continue with HTTP/2, and leaves other upgrades.
func dropH2C(header http.Header) {
	var kept []string
	found := false
	for _, line := range header["Upgrade"] {
		for option := range strings.SplitSeq(line, ",") {
			if option = strings.Trim(option, " \t"); strings.EqualFold(option, "h2c") {
				found = true
			} else if option != "" {
				kept = append(kept, option)
			}
		}
	}
	if !found {
		return
	}
	delete(header, "Http2-Settings")
	if delete(header, "Upgrade"); len(kept) > 0 {
		header["Upgrade"] = []string{strings.Join(kept, ", ")}
	}
}
