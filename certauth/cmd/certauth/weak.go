package main

import (
	"context"
	"crypto/x509"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/policyfile"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
)

// weak finds settings that are permitted but should be reviewed.
type weak struct {
	ctx   context.Context
	doc   *policyfile.Document
	now   time.Time
	asked map[certauth.RevocationChecker]bool // by rules
	found []warning
}

func (w *weak) warn(path, format string, args ...any) {
	line, _ := w.doc.Position(path)
	w.found = append(w.found, warning{path, line, fmt.Sprintf(format, args...)})
}

func (w *weak) document() {
	config := w.doc.Config
	w.source(config.Source)
	w.policy(config.Policy, "Policy")
	if config.InsecureReportOnly {
		w.warn("InsecureReportOnly", "nobody is kept out")
	}
	if config.Optional {
		w.warn("Optional", "a request without a certificate reaches the handlers; each route that needs one has to ask for it")
	}
	for i, exclusion := range config.Exclusions {
		path := fmt.Sprintf("Exclusions[%d]", i)
		if exclusion.Path == "/" {
			w.warn(path, "the root path needs no certificate")
		}
		if exclusion.Method != "" && exclusion.Method != http.MethodGet && exclusion.Method != http.MethodHead {
			w.warn(path, "%s %s needs no certificate, and such a request may change something", exclusion.Method, exclusion.Path)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(w.doc.Revocation)) {
		check := w.doc.Revocation[name]
		path := "Revocation." + name
		if !w.asked[w.doc.Checkers[name]] {
			w.warn(path, "no rule asks it: nobody is refused because of it; a rule is {\"notRevoked\": {\"checker\": %q}}", name)
		}
		if check.Mode == revocation.SoftFail {
			w.warn(path, "softFail: who can keep this service from the responder can use a revoked certificate")
		}
		if check.Scope == revocation.LeafOnly {
			w.warn(path, "leafOnly: a revoked issuing CA is not seen")
		}
		if check.AllowNoSource {
			w.warn(path, "allowNoSource: certificates that name nobody to ask are never found revoked")
		}
		if check.Verify.AllowSHA1 {
			w.warn(path, "allowSHA1: evidence with SHA-1 signatures can be forged")
		}
		w.lists(path+".Lists", check)
		w.ends(path+".Issuers", check.Issuers)
		for i, responder := range check.Responders {
			path := fmt.Sprintf("%s.Responders[%d]", path, i)
			if responder.Issuer != nil {
				w.ends(path+".Issuer", []*x509.Certificate{responder.Issuer})
			}
			w.ends(path+".Trusted", responder.Trusted)
		}
	}
	w.withoutEffect(config)
	if len(w.doc.Cases) == 0 {
		w.warn("", "no cases: nothing shows what the document means, and nothing keeps a change from meaning something else")
	}
}

// withoutEffect adds the warnings about CA certificates that a service logs at start, apart from those about dates.
func (w *weak) withoutEffect(config certauth.Config) {
	config.Logger = nil
	config.Observe = func(_ context.Context, event certauth.Event) {
		switch event.Outcome { //nolint:exhaustive // the others are about dates
		case "unchained":
			w.warn(event.Rule, "%s chains to none of the roots, so that it has no effect: is its root missing, is it a root itself, or has the CA a new key?", event.Certificate.Subject)
		case "rootless":
			w.warn(event.Rule, "no root is valid now: every caller of this chain is refused")
		}
	}
	_, _ = certauth.New(config) // whose mistakes have been found before
}

func (w *weak) policy(policy certauth.Policy, path string) {
	switch p := policy.(type) {
	case certauth.All:
		for i, member := range p {
			w.policy(member, fmt.Sprintf("%s.All[%d]", path, i))
		}
	case certauth.Any:
		w.wider(p, path)
		for i, member := range p {
			w.policy(member, fmt.Sprintf("%s.Any[%d]", path, i))
		}
	case certauth.Not:
		w.policy(p.Policy, path+".Not")
	case certauth.Named:
		w.policy(p.Policy, fmt.Sprintf("%s.Named(%q)", path, p.Name))
	case certauth.AcceptServerAuth:
		w.warn(path+".AcceptServerAuth", "a web server's certificate is taken for a client's (%s)", p.Reason)
		w.policy(p.Policy, path+".AcceptServerAuth")
	case certauth.ThumbprintsSHA1:
		w.warn(path+".ThumbprintsSHA1", "SHA-1: two certificates of one thumbprint can be made; use thumbprints")
		w.pins(path+".ThumbprintsSHA1", p)
	case certauth.Thumbprints:
		w.pins(path+".Thumbprints", p)
	case certauth.PublicKeys:
		w.pins(path+".PublicKeys", p)
	case certauth.Chain:
		w.chain(p, path+".Chain")
	case certauth.IssuedBy:
		w.ends(path+".IssuedBy.Certificates", materialOf(p.Certificates))
	case certauth.Denied:
		for i, entry := range p.Serials {
			if digits := strings.NewReplacer(":", "", " ", "").Replace(entry.Serial); len(digits) >= 16 && strings.Trim(digits, "0123456789") == "" {
				w.warn(fmt.Sprintf("%s.Denied.Serials[%d]", path, i), "%q has no letter: it is read as hex, and blocks nobody if it is decimal", entry.Serial)
			}
		}
	case certauth.NotRevoked:
		w.asked[p.Checker] = true
	case certauth.DNSNames:
		for _, name := range p {
			if strings.HasPrefix(name, "*.") && strings.Count(name, ".") < 3 {
				w.warn(path+".DNSNames", "%q matches every name one level below", name)
			}
		}
	case certauth.CommonNames:
		w.literal(path+".CommonNames", p, "CN=")
	case certauth.Organizations:
		w.literal(path+".Organizations", p, "O=")
	case certauth.OrganizationalUnits:
		w.literal(path+".OrganizationalUnits", p, "OU=")
	case certauth.URIs:
		w.literal(path+".URIs", p, "")
	case certauth.Emails:
		w.literal(path+".Emails", p, "")
	case certauth.UPNs:
		w.literal(path+".UPNs", p, "")
	case certauth.IPs:
		for _, text := range p {
			if prefix, err := netip.ParsePrefix(text); err == nil && prefix.Bits() < prefix.Addr().BitLen()/4 {
				w.warn(path+".IPs", "%s is very wide", text)
			}
		}
	case certauth.Validity:
		if p.ClockSkew > 5*time.Minute {
			w.warn(path+".Validity", "clockSkew %s: certificates count that long after their end", p.ClockSkew)
		}
	default:
		name := kindName(policy)
		if name == "ThumbprintsSHA1From" {
			w.warn(path+"."+name, "SHA-1: two certificates of one thumbprint can be made; use thumbprintsFrom")
		}
		if set, ok := policy.(interface{ List() []*x509.Certificate }); ok {
			w.ends(path+".Certificates", set.List())
		}
	}
}

// literal finds names that read as patterns or with the name of their attribute, but are compared as they stand. Under a
// not they would keep nobody out.
func (w *weak) literal(path string, names []string, attribute string) {
	for _, name := range names {
		switch {
		case strings.Contains(name, "*"):
			w.warn(path, "%q is compared as it stands: only dnsNames has wildcards", name)
		case attribute != "" && len(name) > len(attribute) && strings.EqualFold(name[:len(attribute)], attribute):
			w.warn(path, "%q is compared as it stands: write the value without %s", name, attribute)
		}
	}
}

// wider finds members that keep nobody out, because another member accepts everybody whom they accept: it
// is one of their rules. A member that gives a role is left out, because that is its purpose.
func (w *weak) wider(members certauth.Any, path string) {
	alone := map[string]int{}
	for i, member := range members {
		if named, ok := member.(certauth.Named); ok {
			member = named.Policy
		}
		if _, several := member.(certauth.All); several {
			continue
		}
		if text := w.text(member); text != "" {
			alone[text] = i
		}
	}
	for k, member := range members {
		all, _ := member.(certauth.All)
		if slices.ContainsFunc(all, func(part certauth.Policy) bool { _, role := part.(certauth.Named); return role }) {
			continue
		}
		for _, part := range all {
			if i, ok := alone[w.text(part)]; ok {
				w.warn(fmt.Sprintf("%s.Any[%d]", path, k), "its rules keep nobody out: member %d accepts everybody whom it accepts", i)
				break
			}
		}
	}
}

// text returns the policy as it would be written in a document, or "".
func (w *weak) text(policy certauth.Policy) string {
	written, err := policyfile.MarshalPolicy(policy, checkersOf(w.doc, nil))
	if err != nil {
		return ""
	}
	return string(written)
}

func (w *weak) pins(path string, list []string) {
	if len(list) == 1 {
		w.warn(path, "one pin and no backup: a renewal with another key or certificate is an outage")
	}
}

func (w *weak) chain(chain certauth.Chain, path string) {
	if reflect.TypeOf(chain.Roots) == reflect.TypeOf(certauth.InsecureSystemRoots()) {
		w.warn(path+".Roots", "insecureSystemRoots: every public CA can issue for these names")
	}
	w.ends(path+".Roots", materialOf(chain.Roots))
	w.ends(path+".Intermediates", materialOf(chain.Intermediates))
}
