package forwarded_test

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
	"github.com/seed2886b8ae/go-certauth/internal/vector"
)

// onAppService sets the environment variables that the platform sets for every process.
func onAppService(t *testing.T) {
	t.Helper()
	t.Setenv("WEBSITE_SITE_NAME", "orders")
	t.Setenv("WEBSITE_INSTANCE_ID", "0123456789abcdef")
}

// The cases are captures of a stand-in front end, certificates made by openssl, and the certificate
// of RFC 9440, Appendix A. testdata/README.md describes how each was made.
func TestVectors(t *testing.T) {
	onAppService(t)
	for _, folder := range []string{"appservice", "openssl", "rfc9440"} {
		cases, err := vector.Load("../../testdata/" + folder)
		require.NoError(t, err)
		for _, c := range cases {
			t.Run(folder+"/"+c.Name, func(t *testing.T) { runVector(t, c) })
		}
	}
}

func runVector(t *testing.T, c vector.Case) {
	t.Helper()
	now, err := c.Time()
	require.NoError(t, err)
	auth, err := certauth.New(certauth.Config{
		Source: forwarded.AppService{},
		Policy: vectorPolicy(t, c),
		Now:    func() time.Time { return now },
	})
	if c.Fields["expect"] == "config_error" {
		require.Error(t, err, c.Fields["comment"])
		return
	}
	require.NoError(t, err)

	headers, err := c.Headers()
	require.NoError(t, err)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://app.example/", nil)
	require.NoError(t, err)
	for _, h := range headers {
		r.Header.Add(h[0], h[1])
	}
	r.RemoteAddr = c.Fields["peer"]

	id, err := auth.Check(overSocket(t, r))
	if c.Fields["expect"] == "accepted" {
		require.NoError(t, err, c.Fields["comment"])
		sum := sha256.Sum256(id.Leaf.Raw)
		assert.Equal(t, c.Fields["leaf"], hex.EncodeToString(sum[:]))
		return
	}
	assert.Nil(t, id)
	var refused *certauth.Error
	require.ErrorAs(t, err, &refused, c.Fields["comment"])
	assert.Equal(t, certauth.Reason(c.Fields["expect"]), refused.Reason, "%s\n%s", c.Fields["comment"], err)
	assert.NotEmpty(t, refused.Hint)
}

func vectorPolicy(t *testing.T, c vector.Case) certauth.Policy {
	t.Helper()
	kind, argument, _ := strings.Cut(c.Fields["policy"], " ")
	switch kind {
	case "chain":
		chain := certauth.Chain{Roots: certauth.PEM(c.Files["roots.pem"]), StrictEKU: argument == "strict-eku"}
		if intermediates := c.Files["intermediates.pem"]; intermediates != "" {
			chain.Intermediates = certauth.PEM(intermediates)
		}
		return chain
	case "thumbprint":
		return certauth.Thumbprints{argument}
	case "public-key":
		return certauth.PublicKeys{argument}
	}
	require.Failf(t, "unknown policy", "%q", c.Fields["policy"])
	return nil
}
