package forwarded

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// Old versions of Traefik escape base64 without the markers of PEM. The hint about this is given
// for nothing else: neither for unescaped base64 nor for other text that contains escapes.
func TestResembles_EscapedBase64(t *testing.T) {
	const says = "percent-encoded base64 without the markers of PEM"
	for value, want := range map[string]bool{
		"MIIB%2BAAA":       true,
		"MIIB%2B":          true,
		"MIIB%2FAAA%3D%3D": true,
		"MIIB%3DAAA":       true,
		"MIIB%0AMIIC":      true,
		"MIIB%0D%0AMIIC":   true,
		"MIIBAAAA":         false,
		"MIIB%00AAA":       false,
		"MIIB%24AAA":       false,
		"MIIB%zzAAA":       false,
		"NIIB%2BAAA":       false,
		"M%2B" + strings.Repeat("A", 505) + "%2B": true, // where it is cut stands half an escape
		"M%2B" + strings.Repeat("A", 506) + "%2B": true,
		"M%2B" + strings.Repeat("A", 507) + "%2B": true,
	} {
		assert.Equal(t, want, strings.Contains(resembles(value), says), "%.20s (%d)", value, len(value))
	}
}
