package revocation

import (
	"fmt"
	"reflect"
)

// asksOCSP reports whether a responder can ever be queried.
func asksOCSP(c *Config) bool {
	return c.Sources != CRLOnly && (!c.IgnoreCertificateURLs || len(c.Responders) > 0)
}

// asksLists reports whether a CRL can ever be used. Lists and Preload need Issuers.
func asksLists(c *Config) bool {
	return c.Sources != OCSPOnly && (!c.IgnoreCertificateURLs || len(c.Issuers) > 0)
}

// effect says of a field whether it is set, whether other fields leave it without effect, and why.
type effect struct {
	path string
	set  bool
	none bool
	why  string
}

// meaningless reports every field that is set without effect, because an operator who sets a field
// expects it to have an effect.
func meaningless(c *Config) []error {
	ocsp, lists := asksOCSP(c), asksLists(c)
	noOCSP, noLists := whyNotAsked(c, CRLOnly, "CRLOnly"), whyNotAsked(c, OCSPOnly, "OCSPOnly")
	oneResponder := c.IgnoreCertificateURLs && len(c.Responders) == 1
	var found []error
	for _, e := range []effect{
		{"AllowNoSource", c.AllowNoSource, c.Mode == SoftFail, "SoftFail accepts such certificates anyway"},
		{"AllowUnknown", c.AllowUnknown, !ocsp, noOCSP + "; a CRL never says Unknown"},
		{"CertIDHash", c.CertIDHash != 0, !ocsp, noOCSP},
		{"HedgeAfter", c.HedgeAfter > 0, !ocsp && c.IgnoreCertificateURLs, noOCSP},
		{"HedgeAfter", c.HedgeAfter > 0, ocsp && oneResponder, "there is only one responder"},
		{"Verify.NonceMode", c.Verify.NonceMode != NonceOff, !ocsp, noOCSP},
		{"Verify.NoNextUpdateMaxAge", c.Verify.NoNextUpdateMaxAge != 0, !ocsp, noOCSP + "; for CRLs see AllowNoNextUpdate"},
		{"Verify.RequireNoCheck", c.Verify.RequireNoCheck, !ocsp, noOCSP},
		{"Verify.MaxDelegateLifetime", c.Verify.MaxDelegateLifetime != 0, !ocsp, noOCSP},
		{
			"Verify.MaxDelegateLifetime", c.Verify.MaxDelegateLifetime != 0, ocsp && c.Verify.RequireNoCheck,
			"RequireNoCheck refuses the delegates that it bounds",
		},
		{"HTTP.OCSPTimeout", c.HTTP.OCSPTimeout != 0, !ocsp, noOCSP},
		{"HTTP.OCSPRedirects", c.HTTP.OCSPRedirects != 0, !ocsp, noOCSP},

		{"Issuers", len(c.Issuers) > 0, !lists && len(c.Lists) == 0, noLists},
		{"IgnoreDeltas", c.IgnoreDeltas, !lists, noLists},
		{"MaxListMemory", c.MaxListMemory > 0, !lists, noLists},
		{"MaxListBytes", c.MaxListBytes > 0, !lists, noLists},
		{"PollInterval", c.PollInterval > 0, !lists, noLists},
		{"PollInterval", c.PollInterval > 0, lists && len(c.Issuers) == 0, "without Issuers no file is read"},
		{"Verify.AllowNoNextUpdate", c.Verify.AllowNoNextUpdate, !lists, noLists + "; for OCSP see NoNextUpdateMaxAge"},
		{"Verify.AllowV1CRL", c.Verify.AllowV1CRL, !lists, noLists},
		{"Verify.AllowEmptyRevokedList", c.Verify.AllowEmptyRevokedList, !lists, noLists},
		{"Verify.CRLIssuers", len(c.Verify.CRLIssuers) > 0, !lists, noLists},
		{"HTTP.CRLTimeout", c.HTTP.CRLTimeout != 0, !lists, noLists},

		{"Verify.MaxAgeCA", c.Verify.MaxAgeCA != 0, c.Scope == LeafOnly, "LeafOnly judges no CA certificate"},
		{"Store", c.Store != nil, c.IgnoreCertificateURLs && !ocsp, "Lists are not stored, and no other source is queried"},
		{
			"Store", c.Store != nil, ocsp && c.Verify.NonceMode == NonceRequire && (!lists || c.IgnoreCertificateURLs),
			"NonceRequire accepts no stored response, and no CRL is stored",
		},
		{"HTTP", !reflect.ValueOf(c.HTTP).IsZero(), c.Fetcher != nil, "Fetcher is used instead; give it these bounds"},
	} {
		if e.set && e.none {
			found = append(found, fmt.Errorf("%s: has no effect: %s", e.path, e.why))
		}
	}
	return found
}

// whyNotAsked says why a kind of evidence is never used.
func whyNotAsked(c *Config, other Sources, name string) string {
	if c.Sources == other {
		return name + " never uses it"
	}
	return "IgnoreCertificateURLs leaves no source of it"
}
