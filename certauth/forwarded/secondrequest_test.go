package forwarded_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// Row 70 of the adversarial list: a certificate that was just accepted is judged again, by every
// rule.
func TestAdversarial_Row70AcceptedBeforeMeansNothing(t *testing.T) {
	ca := certauthtest.NewCA(t, "CA")
	end := time.Now().Add(time.Hour).Truncate(time.Second)
	client := ca.Issue(t, "client", certauthtest.Valid(end.Add(-2*time.Hour), end))
	now := end.Add(-time.Minute)
	auth, err := certauth.New(certauth.Config{
		Source: forwarded.Caddy{From: forwarded.Peers("192.0.2.0/24")},
		Policy: certauth.Chain{Roots: certauth.Certificates(ca.Certificate)},
		Now:    func() time.Time { return now },
	})
	require.NoError(t, err)
	for _, tc := range []struct {
		name   string
		change func(*http.Request)
		after  time.Duration
		want   certauth.Reason
	}{
		{"from an untrusted peer", func(r *http.Request) { r.RemoteAddr = "203.0.113.9:1" }, 0, certauth.ReasonSourceUntrusted},
		{"with a second line", func(r *http.Request) { r.Header.Add("X-Client-Cert", client.Base64()) }, 0, certauth.ReasonCertificateMalformed},
		{"named by Connection", func(r *http.Request) { r.Header.Set("Connection", "X-Client-Cert") }, 0, certauth.ReasonCertificateMalformed},
		{"a second after it ended", func(*http.Request) {}, time.Minute + time.Second, certauth.ReasonCertificateExpired},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before := now
			defer func() { now = before }()
			r := httptest.NewRequest(http.MethodGet, "/", nil) // from 192.0.2.1
			r.Header.Set("X-Client-Cert", client.Base64())
			_, err := auth.Check(overSocket(t, r))
			require.NoError(t, err)

			tc.change(r)
			now = now.Add(tc.after)
			id, err := auth.Check(overSocket(t, r))
			assert.Nil(t, id)
			var refused *certauth.Error
			require.ErrorAs(t, err, &refused)
			assert.Equal(t, tc.want, refused.Reason)
		})
	}
}
