package revocation

import (
	"cmp"
	"crypto"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/fetch"
	"github.com/seed2886b8ae/go-certauth/internal/mistakes"
	"github.com/seed2886b8ae/go-certauth/internal/sha1sum"
)

// withDefaults returns a copy with the defaults filled in, and all mistakes at once.
func (c Config) withDefaults() (Config, error) {
	var found []error
	refuse := func(wrong bool, format string, args ...any) {
		if wrong {
			found = append(found, fmt.Errorf(format, args...))
		}
	}
	c.Responders, c.Lists, c.Issuers = slices.Clone(c.Responders), slices.Clone(c.Lists), slices.Clone(c.Issuers)
	c.Verify.CRLIssuers = slices.Clone(c.Verify.CRLIssuers)
	refuse(c.Mode > SoftFail, "Mode: %d, want HardFail or SoftFail", c.Mode)
	refuse(c.Scope > LeafOnly, "Scope: %d, want ChainExceptAnchor or LeafOnly", c.Scope)
	refuse(c.Sources > CRLOnly, "Sources: %d is not defined", c.Sources)
	refuse(c.CertIDHash != 0 && c.CertIDHash != crypto.SHA1 && c.CertIDHash != crypto.SHA256, "CertIDHash: %s, want SHA-1 or SHA-256", c.CertIDHash)
	refuse(!sha1sum.Available() && asksOCSP(&c) && c.CertIDHash != crypto.SHA256, "CertIDHash: %w; want crypto.SHA256", sha1sum.ErrUnavailable)
	refuse(!sha1sum.Available() && c.Verify.AllowSHA1, "Verify.AllowSHA1: %w", sha1sum.ErrUnavailable)
	refuse(c.AllowUnknown && c.Mode != SoftFail, "AllowUnknown: needs Mode SoftFail")
	refuse(c.ShortLived < 0 || c.StaleGrace < 0, "ShortLived, StaleGrace: negative")
	refuse(c.MaxListBytes > maxMaxListBytes, "MaxListBytes: %d, want at most %d", c.MaxListBytes, maxMaxListBytes)
	refuse(c.StaleGrace > maxStaleGrace, "StaleGrace: %s, want at most %s", c.StaleGrace, maxStaleGrace)
	v := &c.Verify
	refuse(!v.Now.IsZero() || v.Nonce != nil || v.TrustedResponders != nil || v.Previous != nil, "Verify: Now, Nonce, TrustedResponders and Previous must not be set; the Checker sets them")
	found = append(found, mistakes.Prefix("Verify.", v.Check())...)
	refuse(c.Sources == OCSPOnly && len(c.Lists) > 0, "Lists: OCSPOnly never uses them")
	refuse(c.Sources == CRLOnly && len(c.Responders) > 0, "Responders: CRLOnly never uses them")
	for i, r := range c.Responders {
		refuse(r.Issuer != nil && len(r.Issuer.Raw) == 0, "Responders[%d].Issuer: empty certificate", i)
		err := fetch.CheckURL(r.URL)
		refuse(err != nil, "Responders[%d].URL: %w", i, err)
		refuse(len(r.Trusted) > 0 && r.Issuer == nil, "Responders[%d].Trusted: needs an Issuer, the CA for which they may sign", i)
		refuse(slices.Contains(r.Trusted, nil), "Responders[%d].Trusted: nil certificate", i)
		c.Responders[i].Trusted = slices.Clone(r.Trusted)
	}
	for i, l := range c.Lists {
		set := slices.DeleteFunc([]string{l.URL, l.File, l.Dir}, func(one string) bool { return one == "" })
		refuse(len(set) != 1, "Lists[%d]: %d of URL, File and Dir are set, want exactly one", i, len(set))
		if len(set) == 1 && l.URL != "" {
			err := fetch.CheckURL(l.URL)
			refuse(err != nil, "Lists[%d]: %w", i, err)
		}
	}
	refuse(len(c.Lists) > 0 && len(c.Issuers) == 0, "Lists: need Issuers, the CAs that signed them")
	for i, issuer := range c.Issuers {
		refuse(issuer == nil || len(issuer.Raw) == 0, "Issuers[%d]: nil or empty certificate", i)
	}
	for i, signer := range v.CRLIssuers {
		refuse(signer == nil || len(signer.Raw) == 0, "Verify.CRLIssuers[%d]: nil or empty certificate", i)
	}
	refuse(c.HTTP.OCSPTimeout >= flightLimit, "HTTP.OCSPTimeout: %s, want less than %s", c.HTTP.OCSPTimeout, flightLimit)
	refuse(c.HTTP.CRLTimeout >= flightLimit, "HTTP.CRLTimeout: %s, want less than %s", c.HTTP.CRLTimeout, flightLimit)
	refuse(c.IgnoreCertificateURLs && !asksOCSP(&c) && !asksLists(&c), "IgnoreCertificateURLs: leaves no source; set Responders or Lists")
	meaningless(&c, refuse)

	setNumber(refuse, "MaxWait", &c.MaxWait, 5*time.Second)
	setNumber(refuse, "PollInterval", &c.PollInterval, 30*time.Second)
	setNumber(refuse, "MaxRecords", &c.MaxRecords, 10_000)
	setNumber(refuse, "MaxListMemory", &c.MaxListMemory, 64<<20)
	setNumber(refuse, "MaxListBytes", &c.MaxListBytes, 32<<20)
	c.CertIDHash = cmp.Or(c.CertIDHash, crypto.SHA1)
	if c.Now == nil {
		c.Now = time.Now //nolint:forbidigo // the one default of the injected clock
	}
	c.Now = withoutPanic(c.Now)
	return c, errors.Join(found...)
}

// setNumber fills in a default.
func setNumber[T int | time.Duration](refuse func(bool, string, ...any), name string, n *T, otherwise T) {
	refuse(*n < 0, "%s: %v is negative", name, *n)
	*n = cmp.Or(*n, otherwise)
}

// withoutPanic makes a clock safe for code that holds locks and fetch places. If the clock panics,
// the time is 1970: all evidence is then from the future, so nothing is good, and a known
// revocation stays.
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
