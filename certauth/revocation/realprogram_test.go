package revocation_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
)

// unhurried is how long a test waits for operations that only an overloaded machine can delay.
const unhurried = 30 * time.Second

// unavailable skips the test. In CI, where the test must run, it fails instead.
func unavailable(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CERTAUTH_REQUIRE_REAL") == "1" {
		t.Fatalf("CERTAUTH_REQUIRE_REAL=1: "+format, args...)
	}
	t.Skipf(format, args...)
}

// eventually repeats the call until the answer is yes, gaveUp is closed, or half a minute has
// passed.
func eventually(t *testing.T, gaveUp <-chan struct{}, yes func() bool) bool {
	t.Helper()
	limit, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-gaveUp:
			return false
		case <-limit.Done():
			return false
		case <-tick.C:
			if yes() {
				return true
			}
		}
	}
}

// live makes a certificate valid by the real clock, which other programs use.
func live(c *x509.Certificate) {
	c.NotBefore, c.NotAfter = time.Now().Add(-day), time.Now().Add(100*day)
}

func asksAt(url string) change {
	return func(c *x509.Certificate) { c.OCSPServer = []string{url} }
}

func listedAt(url string) change {
	return func(c *x509.Certificate) { c.CRLDistributionPoints = []string{url} }
}

func localURL(port int) string { return "http://127.0.0.1:" + strconv.Itoa(port) }

// loopback permits 127.0.0.1 for URLs of certificates, at these ports.
func loopback(ports ...int) revocation.HTTPOptions {
	return revocation.HTTPOptions{AllowNets: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, AllowPorts: ports}
}

// entry is a line of openssl's index.
type entry struct {
	of      *identity
	revoked time.Time // zero if it is not
	reason  string    // in openssl's words; empty for none
}

// enter replaces an index in one step, because a responder may be reading it.
func (o *openssl) enter(t *testing.T, name string, entries ...entry) {
	t.Helper()
	const form = "060102150405Z"
	var index bytes.Buffer
	for _, e := range entries {
		status, revocation := "V", ""
		if !e.revoked.IsZero() {
			status, revocation = "R", e.revoked.UTC().Format(form)
		}
		if e.reason != "" {
			revocation += "," + e.reason
		}
		fmt.Fprintf(&index, "%s\t%s\t%s\t%X\tunknown\t/O=Contoso/CN=%s\n", status, e.of.cert.NotAfter.UTC().Format(form), revocation,
			e.of.cert.SerialNumber.Bytes(), e.of.cert.Subject.CommonName)
	}
	o.write(t, name+".new", index.Bytes())
	require.NoError(t, os.Rename(filepath.Join(o.folder, name+".new"), filepath.Join(o.folder, name)))
}

// verdict is the result that a Checker should derive from another program's answer.
type verdict struct {
	chain  certauth.RevocationStatus
	status revocation.Status
	reason int
	err    error // why there is no evidence
}

var (
	foundGood    = verdict{certauth.RevocationGood, revocation.Good, evidence.ReasonUnspecified, nil}
	foundUnknown = verdict{certauth.RevocationUnknown, revocation.Unknown, evidence.ReasonUnspecified, nil}
)

// foundRevoked takes a reason code of RFC 5280, section 5.3.1.
func foundRevoked(reason int) verdict {
	return verdict{certauth.RevocationRevoked, revocation.Revoked, reason, nil}
}

// foundNothing takes the reason why there is no evidence.
func foundNothing(err error) verdict {
	return verdict{certauth.RevocationUnavailable, revocation.Unavailable, 0, err}
}

// waivedThough returns what SoftFail and similar settings make of another verdict.
func waivedThough(v verdict) verdict {
	v.chain = certauth.RevocationWaived
	return v
}

// check checks a certificate whose issuer is the anchor, and returns the findings.
func (v verdict) check(t *testing.T, checker *revocation.Checker, cert *identity) revocation.Result {
	t.Helper()
	all, err := checker.Check(t.Context(), []*x509.Certificate{cert.cert, cert.issuer.cert})
	return v.judge(t, all, err)
}

// checkAnew is check with a new Checker, which it also returns: see askAnew.
func (v verdict) checkAnew(t *testing.T, config func() revocation.Config, cert *identity) (*revocation.Checker, revocation.Result) {
	t.Helper()
	var all revocation.ChainResult
	checker, err := askAnew(t, config, func(checker *revocation.Checker) (revocation.ChainResult, error) {
		var err error
		all, err = checker.Check(t.Context(), []*x509.Certificate{cert.cert, cert.issuer.cert})
		return all, err
	})
	return checker, v.judge(t, all, err)
}

func (v verdict) judge(t *testing.T, all revocation.ChainResult, err error) revocation.Result {
	t.Helper()
	if v.chain == certauth.RevocationUnavailable {
		require.ErrorIs(t, err, v.err)
	} else {
		require.NoError(t, err)
	}
	assert.Equal(t, v.chain.String(), all.Revocation.Status.String())
	require.Len(t, all.Certificates, 1)
	found := all.Certificates[0]
	assert.Equal(t, v.status.String(), found.Result.Status.String(), "%v", found.Err)
	assert.Equal(t, v.reason, found.Result.Reason)
	if v.err != nil {
		assert.ErrorIs(t, found.Err, v.err)
	}
	return found.Result
}

// askAnew asks a new Checker with its own Config. If the machine stalls for a second or two, a
// fetch reaches the limits that are not configurable: one second for the connection, two for the
// header of the answer. That says nothing about the program on the other side, so a check that ends
// in ErrTimeout is repeated by a Checker without memory of it, at most three times. Every other
// outcome is final.
func askAnew(
	t *testing.T, config func() revocation.Config, ask func(*revocation.Checker) (revocation.ChainResult, error),
) (*revocation.Checker, error) {
	t.Helper()
	for again := 3; ; again-- {
		checker := newChecker(t, config())
		all, err := ask(checker)
		late := timeout(all, err)
		if late == nil || again == 0 {
			return checker, err
		}
		t.Logf("too late, asked again: %v", late)
		require.NoError(t, checker.Close())
	}
}

// timeout returns the fetch that was too late. If SoftFail accepts, or a chain is revoked, it is
// only in a finding.
func timeout(all revocation.ChainResult, err error) error {
	for _, found := range all.Certificates {
		err = errors.Join(err, found.Err)
	}
	if errors.Is(err, revocation.ErrTimeout) {
		return err
	}
	return nil
}

// countLate returns a function for Config.Observe and one that returns how many of its fetches were
// too late.
func countLate() (observe func(context.Context, revocation.Event), late func() int) {
	var count atomic.Int64
	return func(_ context.Context, e revocation.Event) {
		if e.Since.IsZero() && errors.Is(e.Err, revocation.ErrTimeout) {
			count.Add(1)
		}
	}, func() int { return int(count.Load()) }
}

// newChecker returns a Checker that is closed with the test. It is as patient with a busy machine
// as its options permit.
func newChecker(t *testing.T, config revocation.Config) *revocation.Checker {
	t.Helper()
	config.MaxWait = unhurried
	if config.Fetcher == nil { // which has its own limits
		config.HTTP.OCSPTimeout, config.HTTP.CRLTimeout = unhurried, unhurried
	}
	checker, err := revocation.New(config)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, checker.Close()) })
	return checker
}
