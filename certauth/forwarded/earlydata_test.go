package forwarded_test

import (
	"net/http"
	"testing"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

// T32: what came in TLS 1.3 early data can be recorded and sent again by anyone, without the key.
// Front ends that accept it say so in Early-Data (RFC 8470, section 5.1).
func TestPresets_EarlyDataIsRefused(t *testing.T) {
	p := newPartner(t)
	refused := certauth.ReasonFrontEndUnverified
	for _, d := range presets() {
		t.Run(d.name, func(t *testing.T) {
			s := newStand(t, certauth.Config{Source: d.source(fromTens()), Policy: p.chain()})
			s.judgeAll(t, func() *http.Request { return d.request(p.client.Certificate) }, []row{
				{"1", put("Early-Data", "1"), refused},
				{"another value counts as 1", put("Early-Data", "0"), refused},
				{"several values count as 1", put("Early-Data", "", "1"), refused},
				{"nothing, as nginx sends it after the handshake", put("Early-Data", ""), certauth.ReasonNone},
				{"without a certificate", inOrder(d.without, put("Early-Data", "1")), certauth.ReasonCertificateMissing},
				{"from elsewhere", inOrder(put("Early-Data", "1"), func(r *http.Request) { r.RemoteAddr = "203.0.113.9:1" }), certauth.ReasonSourceUntrusted},
			})
		})
	}
}
