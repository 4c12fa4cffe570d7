package revocation

import (
	"crypto"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/fetch"
	"github.com/seed2886b8ae/go-certauth/internal/mistakes"
	"github.com/seed2886b8ae/go-certauth/internal/sha1sum"
)

// withDefaults returns a copy with every default in place, and all mistakes at once.
func (c Config) withDefaults() (Config, error) {
	var found []error
	mistake := func(format string, args ...any) { found = append(found, fmt.Errorf(format, args...)) }
	c.Responders, c.Lists, c.Issuers = slices.Clone(c.Responders), slices.Clone(c.Lists), slices.Clone(c.Issuers)
	c.Verify.CRLIssuers = slices.Clone(c.Verify.CRLIssuers)
	if c.Mode > SoftFail {
		mistake("Mode: %d, want HardFail or SoftFail", c.Mode)
	}
	if c.Scope > LeafOnly {
		mistake("Scope: %d, want ChainExceptAnchor or LeafOnly", c.Scope)
	}
	if c.Sources > CRLOnly {
		mistake("Sources: %d is not defined", c.Sources)
	}
	if c.CertIDHash != 0 && c.CertIDHash != crypto.SHA1 && c.CertIDHash != crypto.SHA256 {
		mistake("CertIDHash: %s, want SHA-1 or SHA-256", c.CertIDHash)
	}
	if !sha1sum.Available() && asksOCSP(&c) && c.CertIDHash != crypto.SHA256 {
		mistake("CertIDHash: %w; want crypto.SHA256", sha1sum.ErrUnavailable)
	}
	if !sha1sum.Available() && c.Verify.AllowSHA1 {
		mistake("Verify.AllowSHA1: %w", sha1sum.ErrUnavailable)
	}
	if c.AllowUnknown && c.Mode != SoftFail {
		mistake("AllowUnknown: needs Mode SoftFail")
	}
	if c.ShortLived < 0 || c.StaleGrace < 0 {
		mistake("ShortLived, StaleGrace: negative")
	}
	if c.StaleGrace > maxStaleGrace {
		mistake("StaleGrace: %s, want at most %s", c.StaleGrace, maxStaleGrace)
	}
	v := &c.Verify
	if !v.Now.IsZero() || v.Nonce != nil || v.TrustedResponders != nil || v.Previous != nil {
		mistake("Verify: Now, Nonce, TrustedResponders and Previous are the Checker's to set")
	}
	for _, err := range mistakes.Prefix("Verify.", v.Check()) {
		mistake("%w", err)
	}
	if c.Sources == OCSPOnly && len(c.Lists) > 0 {
		mistake("Lists: OCSPOnly never looks into them")
	}
	if c.Sources == CRLOnly && len(c.Responders) > 0 {
		mistake("Responders: CRLOnly never asks them")
	}
	for i, r := range c.Responders {
		if r.Issuer != nil && len(r.Issuer.Raw) == 0 {
			mistake("Responders[%d].Issuer: empty certificate", i)
		}
		if err := fetch.CheckURL(r.URL); err != nil {
			mistake("Responders[%d].URL: %w", i, err)
		}
		if len(r.Trusted) > 0 && r.Issuer == nil {
			mistake("Responders[%d].Trusted: needs an Issuer to speak for", i)
		}
		if slices.Contains(r.Trusted, nil) {
			mistake("Responders[%d].Trusted: nil certificate", i)
		}
		c.Responders[i].Trusted = slices.Clone(r.Trusted)
	}
	for i, l := range c.Lists {
		if err := l.check(); err != nil {
			mistake("Lists[%d]: %w", i, err)
		}
	}
	if len(c.Lists) > 0 && len(c.Issuers) == 0 {
		mistake("Lists: need Issuers, the CAs that signed them")
	}
	for i, issuer := range c.Issuers {
		if issuer == nil || len(issuer.Raw) == 0 {
			mistake("Issuers[%d]: nil or empty certificate", i)
		}
	}
	if c.IgnoreCertificateURLs && !asksOCSP(&c) && !asksLists(&c) {
		mistake("IgnoreCertificateURLs: leaves nobody to ask; give Responders or Lists")
	}
	found = append(found, meaningless(&c)...)
	found = append(found, setNumbers(&c)...)
	return c, errors.Join(found...)
}

// setNumbers puts the defaults of durations and bounds in place.
func setNumbers(c *Config) []error {
	var wrong []error
	duration := func(name string, d *time.Duration, otherwise time.Duration) {
		if *d < 0 {
			wrong = append(wrong, fmt.Errorf("%s: %s is negative", name, *d))
		}
		if *d == 0 {
			*d = otherwise
		}
	}
	number := func(name string, n *int, otherwise int) {
		if *n < 0 {
			wrong = append(wrong, fmt.Errorf("%s: %d is negative", name, *n))
		}
		if *n == 0 {
			*n = otherwise
		}
	}
	duration("MaxWait", &c.MaxWait, defaultMaxWait)
	duration("HedgeAfter", &c.HedgeAfter, defaultHedgeAfter)
	duration("PollInterval", &c.PollInterval, defaultPollInterval)
	number("MaxRecords", &c.MaxRecords, defaultMaxRecords)
	number("MaxListMemory", &c.MaxListMemory, defaultMaxListMemory)
	number("MaxListBytes", &c.MaxListBytes, defaultMaxListBytes)
	if c.CertIDHash == 0 {
		c.CertIDHash = crypto.SHA1
	}
	if c.Now == nil {
		c.Now = time.Now //nolint:forbidigo // the one default of the injected clock
	}
	c.Now = withoutPanic(c.Now)
	return wrong
}

// withoutPanic is a clock for code that holds locks and places to fetch in. A clock that panics
// shows 1970, when all evidence is from the future: nothing is good then, and Revoked stays.
func withoutPanic(clock func() time.Time) func() time.Time {
	return func() (now time.Time) {
		defer func() {
			if recover() != nil {
				now = time.Unix(0, 0)
			}
		}()
		return clock()
	}
}

func (l List) check() error {
	set := 0
	for _, one := range []string{l.URL, l.File, l.Dir} {
		if one != "" {
			set++
		}
	}
	if set != 1 {
		return fmt.Errorf("%d of URL, File and Dir are set, want exactly one", set)
	}
	if l.URL != "" {
		return fetch.CheckURL(l.URL)
	}
	return nil
}
