package certauth_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

func TestValidity_SeveralInOneAll(t *testing.T) {
	ca := certauthtest.NewCA(t, "CA")
	end := time.Now().Add(time.Hour).Truncate(time.Second)
	leaf := ca.Issue(t, "client", certauthtest.Valid(end.Add(-48*time.Hour), end))
	chain := certauth.Chain{Roots: certauth.Certificates(ca.Certificate)}
	for name, policy := range map[string]certauth.All{
		"a skew and a lifetime":         {certauth.Validity{ClockSkew: time.Minute}, certauth.Validity{MaxLifetime: 72 * time.Hour}, chain},
		"a lifetime in front of a skew": {certauth.Validity{MaxLifetime: 72 * time.Hour}, chain, certauth.Validity{ClockSkew: time.Minute}},
		"the same skew twice":           {certauth.Validity{ClockSkew: time.Minute}, chain, certauth.Validity{ClockSkew: time.Minute}},
	} {
		auth := must(t, certauth.Config{Source: fixedSource("s", leaf.Certificate), Policy: policy, Now: func() time.Time { return end.Add(time.Minute) }})
		_, err := auth.Check(request())
		require.NoError(t, err, name)
		auth = must(t, certauth.Config{Source: fixedSource("s", leaf.Certificate), Policy: policy, Now: func() time.Time { return end.Add(time.Minute + time.Second) }})
		_, err = auth.Check(request())
		assertReason(t, certauth.ReasonCertificateExpired, err)
	}
}
