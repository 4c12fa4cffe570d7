package certauth

import (
	"context"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/seed2886b8ae/go-certauth/internal/certcheck"
	"github.com/seed2886b8ae/go-certauth/internal/chainsearch"
	"github.com/seed2886b8ae/go-certauth/internal/logtext"
	"github.com/seed2886b8ae/go-certauth/internal/reload"
	"github.com/seed2886b8ae/go-certauth/internal/safely"
)

const day = 24 * time.Hour

// warnBefore lists how long before its expiry a configured certificate is reported: once for each
// entry, and once more when it has expired.
var warnBefore = [...]time.Duration{30 * day, 7 * day, day}

// defects records which warnings about the certificates of the configuration were given, so that
// each is reported once per threshold and not on each request.
type defects struct {
	mutex    sync.Mutex
	checked  time.Time
	reported map[defectKey]int // the severity that was last reported
	pins     []pinnedList
	reach    map[*reload.Item[chainsearch.Pool]]reachability
}

type pinnedList struct {
	path  string
	certs func() []*x509.Certificate
}

// reachability lists the intermediates of a pool that chain to no root. It is cached until a set
// changes.
type reachability struct {
	of        string // the generations for which it was computed
	unreached []*x509.Certificate
}

// defect is a fault of a certificate of the configuration, or of a Chain.
type defect struct {
	defectKey

	severity int
	cert     *x509.Certificate // nil for a Chain
}

type defectKey struct {
	outcome Outcome
	path    string
	id      string // fingerprint of the certificate, or number of the set
}

// pinned adds certificates that a policy pins as a whole, or to which it restricts the issuer. A nil
// defects ignores them.
func (s *defects) pinned(path string, certs func() []*x509.Certificate) {
	if s == nil {
		return
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.pins = append(s.pins, pinnedList{path, certs})
}

// checkMaterial reports certificates that have expired or will soon, if the last check was 24 hours
// ago or force is set. It runs in New, after a reload, and when a request finds that a reload is
// due, before the request is judged.
//
// A panic of the clock or of a hook must not end the process.
func (a *Authenticator) checkMaterial(force bool) {
	_, _ = safely.Do(func() (bool, error) {
		now := a.config.Now().Round(0) // without the monotonic reading, because dates refer to the wall clock
		for _, d := range a.defects.newOrWorse(now, force, a.chains.list()) {
			_, _ = safely.Do(func() (bool, error) { a.reportDefect(now, d); return true, nil })
		}
		return true, nil
	})
}

// newOrWorse returns the defects that are new or have become more severe.
func (s *defects) newOrWorse(now time.Time, force bool, nodes []*chainNode) []defect {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if elapsed := now.Sub(s.checked); !force && elapsed < day && elapsed >= -reload.ClockSlack {
		return nil
	}
	s.checked = now
	var found []defect
	for _, list := range s.pins {
		found = appendExpiring(found, list.path, list.certs(), now)
	}
	found = append(found, s.ofChains(nodes, now)...)
	reported := make(map[defectKey]int, len(found))
	var worse []defect
	for _, d := range found {
		if reported[d.defectKey] >= d.severity {
			continue // listed twice
		}
		if reported[d.defectKey] = d.severity; d.severity > s.reported[d.defectKey] {
			worse = append(worse, d)
		}
	}
	s.reported = reported
	return worse
}

// forget makes the next check report the defects of the material at these paths again. Which
// intermediates are unchained also depends on other material.
func (s *defects) forget(paths []string) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	maps.DeleteFunc(s.reported, func(key defectKey, _ int) bool {
		return slices.Contains(paths, key.path) || len(paths) > 0 && key.outcome == outcomeUnchained
	})
}

// ofChains examines the pools of all Chain policies. A defect of a pool that several of them use as
// roots is found several times.
func (s *defects) ofChains(nodes []*chainNode, now time.Time) (found []defect) {
	below := map[*reload.Item[chainsearch.Pool]][]*chainNode{}
	var pools []*reload.Item[chainsearch.Pool] // of intermediates
	for _, node := range nodes {
		if roots := node.roots; roots != nil {
			if set := roots.Current(); set != nil {
				found = appendExpiring(found, roots.Path(), set.Value.Certificates(), now)
				if !slices.ContainsFunc(set.Value.Certificates(), func(cert *x509.Certificate) bool { return !certcheck.Outside(cert, now, 0) }) {
					key := defectKey{outcomeRootless, roots.Path(), strconv.FormatUint(set.Generation, 10)}
					found = append(found, defect{key, 1, nil})
				}
			}
		}
		if below[node.intermediates] == nil {
			pools = append(pools, node.intermediates)
			found = appendExpiring(found, node.intermediates.Path(), node.intermediates.Get().Certificates(), now)
		}
		below[node.intermediates] = append(below[node.intermediates], node)
	}
	reach := make(map[*reload.Item[chainsearch.Pool]]reachability, len(pools))
	for _, pool := range pools {
		reach[pool] = s.reachabilityOf(pool, below[pool])
		for _, cert := range reach[pool].unreached {
			found = append(found, defect{defectKey{outcomeUnchained, pool.Path(), fingerprintOf(cert)}, 1, cert})
		}
	}
	s.reach = reach
	return found
}

func fingerprintOf(cert *x509.Certificate) string { return hex.EncodeToString(sumSHA256(cert.Raw)) }

func appendExpiring(found []defect, path string, certs []*x509.Certificate, now time.Time) []defect {
	for _, cert := range certs {
		d := defect{defectKey{outcomeExpiring, path, ""}, 0, cert}
		left := cert.NotAfter.Sub(now)
		for _, before := range warnBefore {
			if left <= before {
				d.severity++
			}
		}
		if d.severity == 0 {
			continue
		}
		if now.After(cert.NotAfter) {
			d.outcome = outcomeExpired
		}
		d.id = fingerprintOf(cert)
		found = append(found, d)
	}
	return found
}

// reachabilityOf finds the intermediates that chain to no root of any Chain that uses them, by
// signatures and regardless of dates. It is computed again only if a set has changed.
func (s *defects) reachabilityOf(pool *reload.Item[chainsearch.Pool], nodes []*chainNode) reachability {
	set := pool.Current()
	if set == nil || len(set.Value.Certificates()) == 0 {
		return reachability{}
	}
	of := strconv.FormatUint(set.Generation, 10)
	var reached []*x509.Certificate
	for _, node := range nodes {
		if node.System != nil {
			return reachability{} // the system's roots cannot be listed
		}
		if roots := node.roots.Current(); roots != nil {
			of += fmt.Sprintf(" %p.%d", node.roots, roots.Generation)
			reached = append(reached, roots.Value.Certificates()...)
		}
	}
	if known := s.reach[pool]; known.of == of {
		return known
	}
	return reachability{of: of, unreached: set.Value.Unreached(reached)}
}

// reportDefect writes one record and one event.
func (a *Authenticator) reportDefect(now time.Time, d defect) {
	event := Event{Time: now, Outcome: d.outcome, Rule: d.path, Source: a.source.Name}
	if d.cert != nil {
		event.Certificate = CertificateInfo{
			Fingerprint: d.id, Subject: logtext.Line(nameOf(d.cert.RawSubject), maxRequestText), Verified: true, NotAfter: d.cert.NotAfter,
		}
	}
	a.reportMaterial(event)
}

// reportMaterial reports defects of the configuration's certificates. They refuse nothing by
// themselves; callers that depend on such a certificate are refused elsewhere.
func (a *Authenticator) reportMaterial(event Event) {
	if logger := a.config.Logger; logger != nil {
		level, hint := slog.LevelWarn, ""
		attrs := appendCertificate([]slog.Attr{slog.String("rule", event.Rule)}, &event.Certificate)
		if !event.Certificate.NotAfter.IsZero() {
			attrs = append(attrs, slog.Time("not_after", event.Certificate.NotAfter.UTC()))
		}
		switch event.Outcome { //nolint:exhaustive // the others are not about material
		case outcomeExpiring:
			left := event.Certificate.NotAfter.Sub(event.Time)
			attrs = append(attrs, slog.Int("days_left", int(left/day)))
			hint = "add its successor now; callers are refused when it expires"
		case outcomeExpired:
			hint = "callers that depend on it are refused; replace it with its successor"
		case outcomeUnchained:
			hint = "it has no effect because it chains to none of the roots; check whether its root is missing or the CA has a new key"
		case outcomeRootless:
			level, hint = slog.LevelError, "every caller of this Chain is refused because no root is valid now; add a valid root, and check this host's clock"
		}
		logger.LogAttrs(context.Background(), level, "certauth: "+string(event.Outcome), append(attrs, slog.String("hint", hint))...)
	}
	a.observe(context.Background(), event)
}
