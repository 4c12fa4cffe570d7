//go:build unix

package forwarded_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

// nginx, the app and an attacker, each on its own host. A sender that reaches the app directly can
// put a genuine certificate and the right status into the headers: only the gates refuse it.
func TestRealFrontEnds_ThreeHosts(t *testing.T) {
	nginx.need(t)
	h := newHosts(t)
	c := newCast(t)
	folder := writePEM(t, c)
	decisions := startApp(t, h.app, appTask{Folder: folder, FrontEnd: frontFromApp, Secret: secret, Proxy: c.proxy.Thumbprint()})
	nginx.launch(t, on(h.front), "three-hosts.conf", settings{Listen: frontFromOutside + ":443", App: appFromFront, Verify: "optional", Secret: secret}, c)

	forgery := recommendations[0].convention.forge(c.victim)
	guessed := append([]string{"X-Gate: correct horse battery stable"}, forgery...)
	leaked := append([]string{"X-Gate: " + secret}, forgery...)
	const (
		through     = "https://" + frontFromOutside + ":443"
		peers       = "http://" + appFromAttacker + ":8001"
		gated       = "http://" + appFromAttacker + ":8002"
		certificate = "https://" + appFromAttacker + ":8003"
		every       = "https://" + appFromAttacker + ":8004"
	)
	require.Equal(t, http.StatusNotFound, request(t, h.attacker, clientTask{Folder: folder, URL: through + "/nowhere"}), "nginx is not reachable")
	for _, tc := range []struct {
		name  string
		gate  string
		url   string
		lines []string
		shows string // a file of writePEM
		want  string
	}{
		{"Peers: straight to the app", "peers", peers, forgery, "", stranger},
		{"Peers: straight to the app, naming the front end's address", "peers", peers, append([]string{"X-Forwarded-For: " + frontFromApp, "X-Real-IP: " + frontFromApp, "Forwarded: for=" + frontFromApp}, forgery...), "", stranger},
		{"Peers: straight to the app without a header", "peers", peers, nil, "", missing},
		{"Peers: through nginx, nobody with the header", "peers", through + "/peers", forgery, "", missing},
		{"Peers: through nginx, a client with the header", "peers", through + "/peers", forgery, "client.pem", accepted},

		{"SharedSecret: straight to the app", "secret", gated, forgery, "", stranger},
		{"SharedSecret: straight to the app with another secret", "secret", gated, guessed, "", stranger},
		{"SharedSecret: through nginx, nobody with the header and another secret", "secret", through + "/secret", guessed, "", missing},
		{"SharedSecret: through nginx, a client with the header and another secret", "secret", through + "/secret", guessed, "client.pem", accepted},

		{"ProxyCertificate: straight to the app", "certificate", certificate, forgery, "", stranger},
		{"ProxyCertificate: straight to the app with a client's own certificate", "certificate", certificate, forgery, "insider.pem", stranger},
		{"ProxyCertificate: through nginx, nobody with the header", "certificate", through + "/certificate", forgery, "", missing},
		{"ProxyCertificate: through nginx, a client with the header", "certificate", through + "/certificate", forgery, "client.pem", accepted},

		{"EveryGate: straight to the app", "every", every, forgery, "", stranger},
		{"EveryGate: straight to the app with the secret and a client's own certificate", "every", every, leaked, "insider.pem", stranger},
		{"EveryGate: through nginx, nobody with the header", "every", through + "/every", forgery, "", missing},
		{"EveryGate: through nginx, a client with the header", "every", through + "/every", forgery, "client.pem", accepted},
	} {
		t.Run(tc.name, func(t *testing.T) {
			status := request(t, h.attacker, clientTask{Folder: folder, URL: tc.url, Lines: tc.lines, Certificate: tc.shows})
			got := next(t, decisions)
			if tc.want == accepted {
				assert.Equal(t, http.StatusOK, status)
				assert.Equal(t, decision{Gate: tc.gate, Outcome: certauth.OutcomeAccepted, Thumbprint: c.p256.Thumbprint()}, got)
				return
			}
			assert.Equal(t, http.StatusUnauthorized, status)
			assert.Equal(t, decision{Gate: tc.gate, Outcome: certauth.OutcomeDenied, Reason: certauth.Reason(tc.want)}, got)
		})
	}
}
