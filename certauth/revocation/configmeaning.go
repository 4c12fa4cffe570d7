package revocation

import "reflect"

// asksOCSP reports whether a responder can ever be queried.
func asksOCSP(c *Config) bool {
	return c.Sources != CRLOnly && (!c.IgnoreCertificateURLs || len(c.Responders) > 0)
}

// asksLists reports whether a CRL can ever be used. Lists and Preload need Issuers.
func asksLists(c *Config) bool {
	return c.Sources != OCSPOnly && (!c.IgnoreCertificateURLs || len(c.Issuers) > 0)
}

// meaningless refuses every field that is set without effect, because an operator who sets a field
// expects it to have an effect.
func meaningless(c *Config, refuse func(wrong bool, format string, args ...any)) {
	ocsp, lists := asksOCSP(c), asksLists(c)
	noOCSP, noLists := whyNotAsked(c, CRLOnly, "CRLOnly"), whyNotAsked(c, OCSPOnly, "OCSPOnly")
	lost := func(is bool, field, why string) { refuse(is, "%s: has no effect: %s", field, why) }

	lost(c.AllowNoSource && c.Mode == SoftFail, "AllowNoSource", "SoftFail accepts such certificates anyway")
	lost(c.AllowUnknown && !ocsp, "AllowUnknown", noOCSP+"; a CRL never says Unknown")
	lost(c.CertIDHash != 0 && !ocsp, "CertIDHash", noOCSP)
	lost(c.Verify.NonceMode != NonceOff && !ocsp, "Verify.NonceMode", noOCSP)
	lost(c.Verify.NoNextUpdateMaxAge != 0 && !ocsp, "Verify.NoNextUpdateMaxAge", noOCSP+"; for CRLs see AllowNoNextUpdate")
	lost(c.Verify.RequireNoCheck && !ocsp, "Verify.RequireNoCheck", noOCSP)
	lost(c.Verify.MaxDelegateLifetime != 0 && !ocsp, "Verify.MaxDelegateLifetime", noOCSP)
	lost(c.Verify.MaxDelegateLifetime != 0 && ocsp && c.Verify.RequireNoCheck, "Verify.MaxDelegateLifetime", "RequireNoCheck refuses the delegates that it bounds")
	lost(c.HTTP.OCSPTimeout != 0 && !ocsp, "HTTP.OCSPTimeout", noOCSP)

	lost(len(c.Issuers) > 0 && !lists && len(c.Lists) == 0, "Issuers", noLists)
	lost(c.IgnoreDeltas && !lists, "IgnoreDeltas", noLists)
	lost(c.MaxListMemory > 0 && !lists, "MaxListMemory", noLists)
	lost(c.MaxListBytes > 0 && !lists, "MaxListBytes", noLists)
	lost(c.PollInterval > 0 && !lists, "PollInterval", noLists)
	lost(c.PollInterval > 0 && lists && len(c.Issuers) == 0, "PollInterval", "without Issuers no file is read")
	lost(c.Verify.AllowNoNextUpdate && !lists, "Verify.AllowNoNextUpdate", noLists+"; for OCSP see NoNextUpdateMaxAge")
	lost(c.Verify.AllowV1CRL && !lists, "Verify.AllowV1CRL", noLists)
	lost(c.Verify.AllowEmptyRevokedList && !lists, "Verify.AllowEmptyRevokedList", noLists)
	lost(len(c.Verify.CRLIssuers) > 0 && !lists, "Verify.CRLIssuers", noLists)
	lost(c.HTTP.CRLTimeout != 0 && !lists, "HTTP.CRLTimeout", noLists)

	lost(c.Verify.MaxAgeCA != 0 && c.Scope == LeafOnly, "Verify.MaxAgeCA", "LeafOnly judges no CA certificate")
	lost(c.Store != nil && c.IgnoreCertificateURLs && !ocsp, "Store", "Lists are not stored, and no other source is queried")
	lost(c.Store != nil && ocsp && c.Verify.NonceMode == NonceRequire && (!lists || c.IgnoreCertificateURLs), "Store",
		"NonceRequire accepts no stored response, and no CRL is stored")
	lost(!reflect.ValueOf(c.HTTP).IsZero() && c.Fetcher != nil, "HTTP", "Fetcher is used instead; give it these bounds")
}

// whyNotAsked says why a kind of evidence is never used.
func whyNotAsked(c *Config, other Sources, name string) string {
	if c.Sources == other {
		return name + " never uses it"
	}
	return "IgnoreCertificateURLs leaves no source of it"
}
