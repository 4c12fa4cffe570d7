package main

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

func TestExample_RoutesAnswerWhoMayAsk(t *testing.T) {
	partner := newPartner(t)
	front := certauthtest.NewAppService(t, serveProgram(t))
	client := partner.issuing.Issue(t, "client", certauthtest.DNS("client.partner.example"))
	admin := partner.issuing.Issue(t, "admin", certauthtest.DNS(adminName))
	named := partner.issuing.Issue(t, adminName) // the common name is not a DNS name

	for _, tc := range []struct {
		name        string
		certificate *certauthtest.Certificate
		path        string
		status      int
	}{
		{"anybody may ask for the health", nil, "/health", http.StatusOK},
		{"a stranger is not told who it is", nil, "/whoami", http.StatusUnauthorized},
		{"a client is told who it is", client, "/whoami", http.StatusOK},
		{"a stranger may not use the administrator's route", nil, "/admin", http.StatusUnauthorized},
		{"a client may not use the administrator's route", client, "/admin", http.StatusForbidden},
		{"a client with the administrator's common name may not", named, "/admin", http.StatusForbidden},
		{"the administrator may", admin, "/admin", http.StatusOK},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := send(t, front.Client(tc.certificate), http.MethodGet, front.URL+tc.path, nil)
			require.Equal(t, tc.status, got.status)
			switch {
			case tc.status == http.StatusUnauthorized:
				requireUnauthorized(t, got)
			case tc.status == http.StatusForbidden:
				assert.JSONEq(t, `{"type":"about:blank","title":"Forbidden","status":403}`, got.body)
			case tc.certificate == nil:
				assert.Empty(t, got.body, "the health tells nothing")
			default:
				assert.Contains(t, got.body, thumbprint(tc.certificate))
			}
		})
	}
}

func TestExample_DoesNotStartWithoutRoots(t *testing.T) {
	for _, name := range []string{"", "no-such-file.pem"} {
		newPartner(t)
		t.Setenv("CLIENT_CA_FILE", name)
		_, err := certauth.New(newConfig())
		assert.ErrorContains(t, err, "Policy.Chain.Roots")
	}
}
