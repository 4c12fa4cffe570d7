package certauth_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

// Start-up log, review and audit use the same text. Every rule has its own line with the operator's
// values, on one line and cut.
func TestString_EveryPolicyHasItsLine(t *testing.T) {
	w := newWorld(t)
	pin := thumbprint(w.leaf.Certificate)
	for name, tc := range map[string]struct {
		rule certauth.Policy
		want []string
	}{
		"Chain":           {certauth.Chain{Roots: certsOf(w.ca), StrictEKU: true, MaxDepth: 3}, []string{"chain", "3 CA", "clientAuth", "CN=Test Root CA"}},
		"Thumbprints":     {certauth.Thumbprints{pin, pinOfNobody}, []string{"SHA-256", "2"}},
		"ThumbprintsSHA1": {certauth.ThumbprintsSHA1{pin[:40]}, []string{"SHA-1", "1"}},
		"PublicKeys":      {certauth.PublicKeys{pin}, []string{"public key"}},
		"PublicKeysFrom":  {certauth.PublicKeysFrom(environmentPin(t, pin)), []string{"public key", "PIN_OF_THE_TEST"}},
		"Certificates":    {certauth.Certificates(w.leaf.Certificate), []string{"certificate"}},
		"IssuedBy":        {certauth.IssuedBy{Certificates: certsOf(w.ca)}, []string{"issued by", "CN=Test Root CA"}},
		"IssuedBy pins":   {certauth.IssuedBy{PublicKeys: []string{pin}}, []string{"issued by", "1"}},
		"IssuerName":      {certauth.IssuerName{"CN=x"}, []string{"issuer", "CN=x"}},
		"Subject":         {certauth.Subject{"CN=x"}, []string{"subject", "CN=x"}},
		"CommonNames":     {certauth.CommonNames{"x"}, []string{"CommonNames", `"x"`}},
		"DNSNames":        {certauth.DNSNames{"a.example"}, []string{"DNS", "a.example"}},
		"URIs":            {certauth.URIs{"urn:a"}, []string{"URI", "urn:a"}},
		"SPIFFEIDs":       {certauth.SPIFFEIDs{"spiffe://a"}, []string{"SPIFFE", "spiffe://a"}},
		"Emails":          {certauth.Emails{"@a.example"}, []string{"mail", "@a.example"}},
		"IPs":             {certauth.IPs{"10.0.0.0/8"}, []string{"IP", "10.0.0.0/8"}},
		"UPNs":            {certauth.UPNs{"a@b"}, []string{"user principal", "a@b"}},
		"Extension":       {certauth.Extension{OID: "1.2.3", Present: true}, []string{"1.2.3", "present"}},
		"Extension text":  {certauth.Extension{OID: "1.2.3", Text: []string{"x"}}, []string{"1.2.3", `"x"`}},
		"Extension value": {certauth.Extension{OID: "1.2.3", Value: [][]byte{{5, 0}}}, []string{"1.2.3", "0500"}},
		"Validity":        {certauth.Validity{ClockSkew: time.Minute, MaxLifetime: time.Hour, MinRemaining: time.Second}, []string{"1m0s", "1h0m0s", "1s"}},
		"Keys":            {certauth.Keys{MinRSABits: 3072, MinECBits: 384}, []string{"3072", "384"}},
		"NotRevoked":      {certauth.NotRevoked{Checker: answer{}}, []string{"not revoked"}},
		"Denied":          {certauth.Denied{PublicKeys: []string{pin}}, []string{"denied", "1"}},
		"PolicyFunc":      {says(nil), []string{"function", "says"}},
		"Named":           {certauth.Named{Name: "partner", Policy: certauth.DNSNames{"a.example"}}, []string{"partner", "a.example"}},
		"Matched":         {certauth.All{certauth.Named{Name: "partner", Policy: certauth.DNSNames{"a.example"}}, certauth.Matched{"partner"}}, []string{"matched", "partner"}},
		"Not":             {certauth.Not{Policy: certauth.DNSNames{"a.example"}}, []string{"not", "a.example"}},
		"Any":             {certauth.Any{certauth.DNSNames{"a.example"}}, []string{"any of", "a.example"}},
	} {
		text := authOf(t, w.behind(tc.rule), time.Time{}).String()
		_, rule, found := strings.Cut(text, "until") // what follows the root of the first Chain
		assert.True(t, found, name)
		for _, want := range tc.want {
			assert.Contains(t, rule, want, name)
		}
		assert.NotContains(t, text, pin, "%s: a list of pins is counted, not printed", name)
	}
}

func environmentPin(t *testing.T, pin string) certauth.Env {
	t.Helper()
	t.Setenv("PIN_OF_THE_TEST", pin)
	return "PIN_OF_THE_TEST"
}
