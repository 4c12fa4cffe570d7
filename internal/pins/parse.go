// Package pins parses the digests of certificates and keys that users list, and looks them up.
package pins

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/seed2886b8ae/go-certauth/internal/sha1sum"
)

// leftToRightMark is the invisible character that Windows puts before a copied thumbprint.
const leftToRightMark = "\u200e"

// Kind is a kind of pins: which rule lists them, how long they are, and how they are written.
type Kind struct {
	Name   string // of the rule
	Size   int    // in bytes
	Base64 bool   // they may be written in base64 too
}

// The kinds of pins that are listed as text.
var (
	Thumbprint     = Kind{Name: "Thumbprints", Size: sha256.Size}
	ThumbprintSHA1 = Kind{Name: "ThumbprintsSHA1", Size: sha1sum.Size}
	PublicKey      = Kind{Name: "PublicKeys", Size: sha256.Size, Base64: true}
)

// Parse reads one pin in any of the spellings that its kind allows: in hex, in any case, with or
// without colons or spaces between the bytes, or in padded standard base64. The digest of no data is
// an error, because some front ends send it without a certificate.
func Parse(kind Kind, text string) ([]byte, error) {
	trimmed := strings.Trim(text, leftToRightMark+" \t")
	if trimmed == "" {
		return nil, errors.New("empty pin")
	}
	if err := otherThanPin(kind, trimmed); err != nil {
		return nil, err
	}
	pin, err := hexPin(trimmed)
	if err != nil && kind.Base64 {
		var decodeErr error
		if pin, decodeErr = base64.StdEncoding.Strict().DecodeString(trimmed); decodeErr != nil || strings.ContainsAny(trimmed, "\r\n") {
			return nil, errors.New("neither hex nor padded standard base64")
		}
	} else if err != nil {
		return nil, err
	}
	if len(pin) != kind.Size {
		return nil, wrongLength(kind, len(pin))
	}
	if isDigestOfNothing(pin) {
		return nil, errors.New("digest of an empty text, which front ends send when there is no certificate")
	}
	return pin, nil
}

// otherThanPin recognises texts that are often pasted in place of a pin, so that the mistake can name
// them. None of them can be a pin.
func otherThanPin(kind Kind, text string) error {
	switch lower := strings.ToLower(text); {
	case strings.HasPrefix(lower, "@microsoft."):
		return errors.New("an App Configuration or Key Vault reference that App Service has not resolved; its identity needs access to the secret, and the portal shows the status of the reference")
	case strings.Contains(lower, "fingerprint="):
		return errors.New("the output of openssl x509 -fingerprint; the pin is the part after the equals sign")
	case strings.HasPrefix(lower, "sha256/"), strings.HasPrefix(lower, "sha256:"), strings.HasPrefix(lower, "pin-sha256="):
		return errors.New("starts with the name of the hash; the pin is the part after it")
	case strings.Contains(text, "-----BEGIN"):
		return errors.New("PEM, not a pin; Certificates takes the certificate itself")
	}
	if kind.Base64 || strings.ContainsAny(text, ": ") {
		return nil
	}
	for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		if pin, err := encoding.DecodeString(text); err == nil && (len(pin) == sha256.Size || len(pin) == sha1sum.Size) {
			return fmt.Errorf("base64 of %d bytes; %s are written in hex; only PublicKeys, the hash of a public key, may be in base64", len(pin), kind.Name)
		}
	}
	return nil
}

func wrongLength(kind Kind, n int) error {
	if n == sha1sum.Size && kind.Name == Thumbprint.Name {
		return fmt.Errorf("%d bytes, want %d (SHA-1 needs ThumbprintsSHA1)", n, kind.Size)
	}
	if n == sha256.Size && kind.Name == ThumbprintSHA1.Name {
		return fmt.Errorf("%d bytes, want %d (SHA-256 needs Thumbprints)", n, kind.Size)
	}
	return fmt.Errorf("%d bytes, want %d", n, kind.Size)
}

// hexPin reads pairs of hex digits with at most one separator, a colon or a space,
// between any two of them.
func hexPin(s string) ([]byte, error) {
	if at := strings.IndexFunc(s, isNoHex); at >= 0 {
		found, _ := utf8.DecodeRuneInString(s[at:])
		return nil, fmt.Errorf("the character %+q at offset %d is no hex digit", found, at)
	}
	digits := make([]byte, 0, len(s))
	separated := true // a separator now would stand at the start or beside another
	for i := range len(s) {
		switch c := s[i]; c {
		case ':', ' ':
			if separated || len(digits)%2 != 0 {
				return nil, fmt.Errorf("separator at offset %d is not between two bytes", i)
			}
			separated = true
		default:
			digits = append(digits, c)
			separated = false
		}
	}
	if separated {
		return nil, errors.New("separator at the end")
	}
	pin, err := hex.DecodeString(string(digits))
	if err != nil {
		return nil, errors.New("not whole bytes in hex")
	}
	return pin, nil
}

func isNoHex(r rune) bool { return !strings.ContainsRune("0123456789abcdefABCDEF: ", r) }

func isDigestOfNothing(pin []byte) bool {
	nothing := sha256.Sum256(nil)
	return string(pin) == sha1sum.OfNothing || slices.Equal(pin, nothing[:])
}
