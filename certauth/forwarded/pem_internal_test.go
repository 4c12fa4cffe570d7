package forwarded

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/internal/source"
)

// The texts in which an operator reads why a value is not percent-encoded PEM.
func TestDecodeURLPEM_SaysWhatIsWrong(t *testing.T) {
	good := url.PathEscape(string(certauthtest.NewCA(t, "CA").PEM()))
	for name, tc := range map[string]struct{ value, want string }{
		"a control character":          {good + "\x1f", "byte 0x1f at offset"},
		"a tab":                        {"\t" + good, "byte 0x09 at offset 0"},
		"a literal space":              {good + " ", "a literal space"},
		"a space, a control character": {good + " \x1f", "a literal space"},
		"DEL":                          {good + "\x7f", "byte 0x7f at offset"},
		"a byte outside ASCII":         {good + "\xff", "byte 0xff at offset"},
		"a letter outside ASCII":       {good + "\u00e9", "byte 0xc3 at offset"},
		"an exclamation mark, ASCII":   {"!" + good, "does not start with the marker"},
		"a tilde, ASCII":               {"~" + good, "does not start with the marker"},
		"a percent sign alone":         {good + "%", "a percent sign without two hex digits"},
		"encoded twice":                {url.PathEscape(good), "percent-encoded twice"},
		"nothing":                      {"", "does not start with the marker"},
		"two certificates":             {good + good, "more after PEM block 1"},
		"no end":                       {strings.TrimSuffix(good, "-----%0A"), "is not enclosed in the markers"},
		"a body that is no base64":     {strings.Replace(good, "MII", "%21II", 1), "body is not base64"},
		"lines of another length":      {strings.Replace(good, "%0A", "%0A%0A", 1), "not in the form that PEM encoders write"},
		"something else in it":         {url.PathEscape("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"), "not one certificate"},
		"the marker of a key":          {strings.ReplaceAll(good, "CERTIFICATE", "PRIVATE%20KEY"), "does not start with the marker"},
	} {
		for _, decode := range []func(string) error{
			func(value string) error { _, err := decodeURLPEM(value); return err },
			func(value string) error { _, err := one(urlPEM1).read(value, nil); return err },
		} {
			assert.ErrorContains(t, decode(tc.value), tc.want, name)
		}
	}
	_, err := decodeURLPEM(good)
	assert.NoError(t, err)
}

// The same for PEM in which spaces replace the line ends.
func TestDecodeSpacedPEM_SaysWhatIsWrong(t *testing.T) {
	good := strings.TrimSpace(strings.ReplaceAll(string(certauthtest.NewCA(t, "CA").PEM()), "\n", " "))
	for name, tc := range map[string]struct{ value, want string }{
		"a space in front":         {" " + good, "does not start with a PEM marker and a space"},
		"no space after it":        {strings.Replace(good, "----- M", "-----M", 1), "does not start with a PEM marker and a space"},
		"something after it":       {good + "x", "does not end with a space and a PEM marker"},
		"no space before the end":  {strings.Replace(good, " -----END", "-----END", 1), "does not end with a space and a PEM marker"},
		"a line break":             {strings.Replace(good, "MII", "M\nII", 1), "a line break or tab between the groups"},
		"a tab":                    {strings.Replace(good, "MII", "M\tII", 1), "a line break or tab between the groups"},
		"two spaces":               {strings.Replace(good, "----- M", "-----  M", 1), "not in the form that PEM encoders write"},
		"a body that is no base64": {strings.Replace(good, "MII", "!II", 1), "body is not base64"},
		"something else in it":     {"-----BEGIN CERTIFICATE----- MAA= -----END CERTIFICATE-----", "not one certificate"},
		"nothing in it":            {"-----BEGIN CERTIFICATE-----  -----END CERTIFICATE-----", "PEM encoders write"},
		"two certificates":         {good + " " + good, "body is not base64"},
	} {
		_, err := decodeSpacedPEM(tc.value)
		assert.ErrorContains(t, err, tc.want, name)
		_, err = one(spacedPEM).read(tc.value, nil)
		assert.ErrorContains(t, err, tc.want, name)
	}
	_, err := decodeSpacedPEM(good)
	assert.NoError(t, err)
}

// Numbers next to those of the known formats and hashes are errors of New.
func TestHeader_NumbersThatNameNothingAreRefused(t *testing.T) {
	known := Header{From: InsecureAnyPeer(), Name: "X-Cert", Format: FormatBase64DER}
	_, err := known.Prepare(source.Environment{})
	require.NoError(t, err)
	for name, change := range map[string]func(*Header){
		"Format -1":          func(h *Header) { h.Format = -1 },
		"Format 7":           func(h *Header) { h.Format = FormatByteSequence + 1 },
		"ChainFormat -1":     func(h *Header) { h.ChainName, h.ChainFormat = "X-Chain", -1 },
		"ChainFormat 5":      func(h *Header) { h.ChainName, h.ChainFormat = "X-Chain", ChainSpacedPEMNumbered+1 },
		"FingerprintHash -1": func(h *Header) { h.FingerprintName, h.FingerprintHash = "X-Sum", -1 },
		"FingerprintHash 3":  func(h *Header) { h.FingerprintName, h.FingerprintHash = "X-Sum", HashSHA256+1 },
	} {
		h := known
		change(&h)
		_, err := h.Prepare(source.Environment{})
		assert.Error(t, err, name)
	}
}

// At most sixteen proxies append an element.
func TestEnvoy_HopsToTheLimit(t *testing.T) {
	for hops, ok := range map[int]bool{-1: false, 0: true, 1: true, maxElements: true, maxElements + 1: false} {
		by := strings.Split(strings.TrimSuffix(strings.Repeat("spiffe://proxy,", max(hops-1, 0)), ","), ",")
		if hops <= 1 {
			by = nil
		}
		_, err := Envoy{From: InsecureAnyPeer(), Hops: hops, By: by}.Prepare(source.Environment{})
		assert.Equal(t, ok, err == nil, "%d: %v", hops, err)
	}
}
