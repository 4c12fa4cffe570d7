package prefix_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed2886b8ae/go-certauth/internal/prefix"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		"10.1.2.3":        "10.1.2.3/32",
		"10.0.0.0/8":      "10.0.0.0/8",
		"10.1.2.3/32":     "10.1.2.3/32",
		"0.0.0.0/0":       "0.0.0.0/0",
		"2001:db8::1":     "2001:db8::1/128",
		"2001:db8::/32":   "2001:db8::/32",
		"::/0":            "::/0",
		"::ffff:10.1.2.3": "10.1.2.3/32",
	} {
		parsed, err := prefix.Parse(text)
		assert.NoError(t, err, text)
		assert.Equal(t, want, parsed.String(), text)
	}
	for _, text := range []string{
		"", " ", "10.1.2", "10.1.2.3 ", "10.1.2.3/8", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/08", "010.0.0.1", "10.0.0.1:80",
		"2001:db8::1/32", "fe80::1%eth0", "fe80::%eth0/64", "::ffff:10.0.0.0/104", "::ffff:10.1.2.3/128", "localhost", "*", "10.0.0.0/8,11.0.0.0/8",
	} {
		parsed, err := prefix.Parse(text)
		assert.Error(t, err, "%q", text)
		assert.False(t, parsed.IsValid(), "%q", text)
	}
}
