package forwarded

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed2886b8ae/go-certauth/internal/source"
)

// X-ARR-SSL is "key bits|cipher bits|issuer|subject" of the platform's own certificate, as the
// captures in testdata show.
func TestPlatform_FormOfARRSSL(t *testing.T) {
	const head = "2048|256|CN=CA|CN="
	for value, want := range map[string]bool{
		"2048|256|CN=CA, O=Example|CN=*.azurewebsites.net": true,
		"0|9|CN=CA|CN=x":          true,
		"384|128|CN=CA|CN=x":      true,
		"||":                      false,
		"":                        false,
		"2048|256|CN=CA":          false,
		"2048|256|CN=CA|CN=x|y":   false,
		"2048||CN=CA|CN=x":        false,
		"|256|CN=CA|CN=x":         false,
		"2048|/56|CN=CA|CN=x":     false, // the character before 0
		"20:8|256|CN=CA|CN=x":     false, // the character behind 9
		"2048|-1|CN=CA|CN=x":      false,
		"204800|256|CN=CA|CN=x":   true,
		"2048000|256|CN=CA|CN=x":  false,
		"2048|2560000|CN=CA|CN=x": false,
		head + strings.Repeat("x", 2048-len(head)): true,
		head + strings.Repeat("x", 2049-len(head)): false,
	} {
		assert.Equal(t, want, isARRSSL(value), "%.60q", value)
	}
}

// The front end's verification can be an anchor only if a header reports it.
func TestLayout_VerifiesNeedsAFlag(t *testing.T) {
	_, err := layout{preset: "Test", from: InsecureAnyPeer(), header: "X-Cert", codec: base64Codec(), verifies: true}.prepare(source.Environment{})
	assert.ErrorContains(t, err, "FrontEndVerifies: set, but no header reports the front end's verification")
}
