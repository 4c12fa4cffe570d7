package certauth_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

func TestError_NilIsHarmless(t *testing.T) {
	var none *certauth.Error
	assert.NoError(t, none.Unwrap())
	assert.NotErrorIs(t, error(none), certauth.ReasonInternalError)
	assert.Equal(t, "certauth: no error", none.Error())
}

// CVE-2025-61729 crypto/x509: the text of an error grew with the square of the input. The text of a
// refusal is bounded, printable, and never that of crypto/x509.
//
// finding N190: the text of a panic, and of an error of the application's function, contained line ends
// and escape sequences of a client's name.
func TestLimits_ErrorTextIsBounded(t *testing.T) {
	names := make([]string, 900)
	for i := range names {
		names[i] = fmt.Sprintf("%d.example", i)
	}
	long := strings.Repeat("\u202E\x1b[31m\n<script>", 300)
	root := certauthtest.NewCA(t, "Root", func(c *x509.Certificate) { c.PermittedDNSDomains = []string{"only.example"} })
	free := newWorld(t)
	crowd := func(c *x509.Certificate) { c.DNSNames = names }
	loud := rawSubject(t, utf8Name(long))
	for _, tc := range []struct {
		name   string
		policy certauth.Policy
		leaf   *x509.Certificate
	}{
		{"many names outside a constraint", chainOf(root), root.Issue(t, "client", crowd).Certificate},
		{"many names and another wanted", free.behind(certauth.DNSNames{"want.example"}), free.issue(t, crowd)},
		{"a long subject and another wanted", free.behind(certauth.Subject{"CN=want"}), free.issue(t, loud)},
		{"a long common name and another wanted", free.behind(certauth.CommonNames{"want"}), free.issue(t, loud)},
		{"a long issuer that nobody knows", free.chain(), certauthtest.SelfSigned(t, "x", loud).Certificate},
		{"a long panic", free.behind(certauth.PolicyFunc{Name: "x", Func: func(context.Context, *certauth.Identity) error { panic(long) }}), free.leaf.Certificate},
		{"a name in a panic", free.behind(certauth.PolicyFunc{Name: "x", Func: func(_ context.Context, id *certauth.Identity) error {
			panic("nobody is called " + id.Leaf.Subject.CommonName)
		}}), free.issue(t, loud)},
		{"a name in an error of a function", free.behind(certauth.PolicyFunc{Name: "x", Func: func(_ context.Context, id *certauth.Identity) error {
			return &certauth.Error{Reason: certauth.ReasonPolicyRefused, Err: errors.New("nobody is called " + id.Leaf.Subject.CommonName)}
		}}), free.issue(t, loud)},
		{"a long error of a function", free.behind(says(errors.New(strings.Repeat("x", 1<<20)))), free.leaf.Certificate},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := judge(t, tc.policy, tc.leaf)
			require.Error(t, err)
			text := err.Error()
			assert.Less(t, len(text), 700)
			assert.True(t, utf8.ValidString(text))
			assert.NotContains(t, text, "x509:")
			assert.NotContains(t, text, "\n")
			assert.NotContains(t, text, "\x1b")
			assert.NotContains(t, text, "\u202E")
		})
	}
}
