package certauth

import (
	"crypto/x509"
	"encoding/hex"
	"net/http"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

// What crypto/x509 reads has the same subject here; nothing else panics.
func FuzzSubjectOf(f *testing.F) {
	leaf := certauthtest.SelfSigned(f, "client").Raw
	f.Add(leaf)
	f.Add(leaf[:len(leaf)/2])
	f.Add([]byte{0x30, 0x02, 0x30, 0x00})
	f.Add([]byte{0x30, 0x80, 0x30, 0x80})
	f.Fuzz(func(t *testing.T, der []byte) {
		subject, ok := subjectOf(der)
		if cert, err := x509.ParseCertificate(der); err == nil {
			require.True(t, ok)
			assert.Equal(t, cert.RawSubject, subject)
		}
		if ok {
			assert.NotEmpty(t, nameOf(subject))
		}
	})
}

// The grammar of W3C Trace Context, sections 3.2.2 and 3.2.4, as expressions.
func FuzzTraceID(f *testing.F) {
	valid := regexp.MustCompile(`^(00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}|([1-9a-f][0-9a-f]|0[1-9a-f])-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-(?s:.*))?)$`)
	forbidden := regexp.MustCompile(`^(ff|..-0{32}|.{35}-0{16})`)
	f.Add("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	f.Add("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x")
	f.Add("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	f.Add("00-00000000000000000000000000000000-00f067aa0ba902b7-01")
	f.Fuzz(func(t *testing.T, text string) {
		got := traceID(http.Header{"Traceparent": {text}})
		if valid.MatchString(text) && !forbidden.MatchString(text) {
			assert.Equal(t, text[3:35], got)
			_, err := hex.DecodeString(got)
			assert.NoError(t, err)
			return
		}
		assert.Empty(t, got)
	})
}
