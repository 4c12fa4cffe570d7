package certauth_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"log/slog"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// A pin that is judged first refuses by the bytes alone: data that is one DER sequence, but not a
// certificate, shows that nothing tried to parse it.
func TestScreen_PinAskedFirstRefusesBeforeParsing(t *testing.T) {
	w := newWorld(t)
	leaf := w.leaf.Certificate
	unparsable := []byte{0x30, 3, 2, 1, 5}
	const mismatch, malformed, ok = certauth.ReasonPinMismatch, certauth.ReasonCertificateMalformed, certauth.ReasonNone
	pin, sha1, none := certauth.Thumbprints{thumbprint(leaf)}, certauth.ThumbprintsSHA1{w.leafSHA1()}, certauth.Thumbprints{pinOfNobody}
	for name, tc := range map[string]struct {
		policy           certauth.Policy
		garbage, genuine certauth.Reason
	}{
		"a pin":                        {pin, mismatch, ok},
		"a SHA-1 pin":                  {sha1, mismatch, ok},
		"a certificate":                {certauth.Certificates(leaf), mismatch, ok},
		"a pin, then a chain":          {certauth.All{pin, w.chain()}, mismatch, ok},
		"another pin, then a chain":    {certauth.All{none, w.chain()}, mismatch, mismatch},
		"a skew, then a pin":           {certauth.All{certauth.Validity{ClockSkew: 1}, pin}, mismatch, ok},
		"any of pins":                  {certauth.Any{none, certauth.Named{Name: "x", Policy: sha1}}, mismatch, ok},
		"a chain, then a pin":          {certauth.All{w.chain(), pin}, malformed, ok},
		"a chain, then another pin":    {certauth.All{w.chain(), none}, malformed, mismatch},
		"any of a pin and a chain":     {certauth.Any{none, w.chain()}, malformed, ok},
		"a lifetime, then another pin": {certauth.All{certauth.Validity{MinRemaining: 1}, none}, malformed, mismatch},
		"a public key":                 {certauth.PublicKeys{spkiPin(leaf)}, malformed, ok},
	} {
		t.Run(name, func(t *testing.T) {
			auth, err := certauth.New(certauth.Config{Source: forwarded.AppService{InsecureOutsideAppService: true}, Policy: tc.policy})
			require.NoError(t, err)
			judge := func(der []byte, want certauth.Reason) {
				for range 2 {
					r := realRequest(t)
					r.Header[certHeader] = []string{base64.StdEncoding.EncodeToString(der)}
					_, err := auth.Check(r)
					assert.Equal(t, want, reasonOf(err), "%v", err)
				}
			}
			judge(unparsable, tc.garbage)
			judge(append(bytes.Clone(unparsable), 0), malformed) // not one sequence, as the parser reports
			judge(unparsable[:4], malformed)
			judge([]byte{0x30, 0x80, 0, 0}, malformed)
			judge([]byte{0x30, 0x84, 0, 0, 0, 0}, malformed)
			judge(leaf.Raw, tc.genuine)
		})
	}
}

// The refusal is that of the rule, with the fingerprint that the operator needs.
func TestScreen_SaysWhatTheRuleWouldSay(t *testing.T) {
	w := newWorld(t)
	pins := []string{pinOfNobody}
	var log bytes.Buffer
	auth, err := certauth.New(certauth.Config{
		Source: forwarded.AppService{InsecureOutsideAppService: true}, Logger: slog.New(slog.NewTextHandler(&log, nil)),
		Policy: certauth.All{certauth.ThumbprintsFrom(certauth.PinFunc(func(context.Context) ([]string, error) { return pins, nil })), w.chain()},
	})
	require.NoError(t, err)
	r := realRequest(t)
	r.Header[certHeader] = []string{w.leaf.Base64()}
	_, err = auth.Check(r)
	require.EqualError(t, err, "certauth: Policy.All[0].ThumbprintsFrom: pin_mismatch: the certificate matches none of 1 pins")
	assert.ErrorIs(t, err, certauth.ReasonPinMismatch)
	auth.Handler(nobody()).ServeHTTP(&noResponse{map[string][]string{}}, r)
	assert.Contains(t, log.String(), "fingerprint="+w.leaf.Thumbprint())

	pins = []string{w.leaf.Thumbprint()}
	require.NoError(t, auth.Reload(t.Context()))
	r.Header[certHeader] = []string{w.leaf.Base64()}
	_, err = auth.Check(r)
	require.NoError(t, err)
}

func nobody() http.Handler {
	return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("let in") })
}
