package certauth

import (
	"crypto/sha1" //nolint:gosec // the digest of nothing, to refuse it
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
)

const leftToRightMark = "\u200e"

// parsePin reads one pin in any of the spellings that its kind allows.
func parsePin(kind pinKind, text string) ([]byte, error) {
	trimmed := strings.Trim(text, leftToRightMark+" \t")
	if trimmed == "" {
		return nil, errors.New("empty pin")
	}
	pin, err := hexPin(trimmed)
	if err != nil && kind.base64 {
		var decodeErr error
		if pin, decodeErr = base64.StdEncoding.Strict().DecodeString(trimmed); decodeErr != nil || strings.ContainsAny(trimmed, "\r\n") {
			return nil, errors.New("neither hex nor padded standard base64")
		}
	} else if err != nil {
		return nil, err
	}
	if len(pin) != kind.size {
		return nil, wrongLength(kind, len(pin))
	}
	if isDigestOfNothing(pin) {
		return nil, errors.New("digest of nothing: front ends send it when there is no certificate")
	}
	return pin, nil
}

func wrongLength(kind pinKind, n int) error {
	if n == sha1.Size && kind.name == pinThumbprint.name {
		return fmt.Errorf("%d bytes, want %d (SHA-1 needs ThumbprintsSHA1)", n, kind.size)
	}
	return fmt.Errorf("%d bytes, want %d", n, kind.size)
}

// hexPin reads pairs of hex digits with at most one separator, a colon or a space,
// between any two of them.
func hexPin(s string) ([]byte, error) {
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

func isDigestOfNothing(pin []byte) bool {
	nothing1, nothing256 := sha1.Sum(nil), sha256.Sum256(nil) //nolint:gosec // see the import
	return slices.Equal(pin, nothing1[:]) || slices.Equal(pin, nothing256[:])
}
