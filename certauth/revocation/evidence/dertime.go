package evidence

import (
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// readTime reads a Time (RFC 5280, section 4.1.2.5; for OCSP see RFC 6960, section 4.2.1): UTCTime or
// GeneralizedTime with seconds and Z, and no other form. The date of every entry of a list is checked,
// so it allocates nothing. time.Parse would also read "+5" as the year 05.
func readTime(s *cryptobyte.String) (time.Time, bool) {
	var text cryptobyte.String
	var tag cbasn1.Tag
	if !s.ReadAnyASN1(&text, &tag) || len(text) < 13 {
		return time.Time{}, false
	}
	year := digits(text, 0)
	switch {
	case tag == cbasn1.UTCTime && len(text) == 13 && year >= 50: // section 4.1.2.5.1: 50 to 99 are 19xx
		year += 1900
	case tag == cbasn1.UTCTime && len(text) == 13 && year >= 0:
		year += 2000
	case tag == cbasn1.GeneralizedTime && len(text) == 15 && year >= 0 && digits(text, 2) >= 0:
		year = 100*year + digits(text, 2)
		text = text[2:]
	default:
		return time.Time{}, false
	}
	month, day := time.Month(digits(text, 2)), digits(text, 4)
	hour, minute, second := digits(text, 6), digits(text, 8), digits(text, 10)
	t := time.Date(year, month, day, hour, minute, second, 0, time.UTC)
	// time.Date accepts fields that are out of range, and returns another date for them.
	if text[12] != 'Z' || t.Month() != month || t.Day() != day || t.Hour() != hour || t.Minute() != minute || t.Second() != second {
		return time.Time{}, false
	}
	return t, true
}

// digits returns the number that two digits make, or a negative number if they are not digits.
func digits(text []byte, at int) int {
	tens, ones := text[at]-'0', text[at+1]-'0'
	if tens > 9 || ones > 9 {
		return -1
	}
	return int(tens)*10 + int(ones)
}
