package evidence

import (
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// moment is a parsed Time of RFC 5280, section 4.1.2.5. The date of every entry of a list must be
// checked, but almost none is used, so the check makes no time.Time and allocates nothing.
// time.Parse would also read "+5" as the year 05.
type moment struct {
	year, month, day, hour, minute, second int
}

func (m moment) time() time.Time {
	return time.Date(m.year, time.Month(m.month), m.day, m.hour, m.minute, m.second, 0, time.UTC)
}

// readTime reads the Time of a CRL: UTCTime or GeneralizedTime with seconds and Z, and no other
// form (RFC 5280, section 4.1.2.5; for OCSP see RFC 6960, section 4.2.1).
func readTime(s *cryptobyte.String) (time.Time, bool) {
	m, ok := readMoment(s)
	if !ok {
		return time.Time{}, false
	}
	return m.time(), true
}

func readMoment(s *cryptobyte.String) (moment, bool) {
	var text cryptobyte.String
	var tag cbasn1.Tag
	if !s.ReadAnyASN1(&text, &tag) || len(text) < 13 {
		return moment{}, false
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
		return moment{}, false
	}
	m := moment{year, digits(text, 2), digits(text, 4), digits(text, 6), digits(text, 8), digits(text, 10)}
	ok := text[12] == 'Z' && m.month >= 1 && m.month <= 12 && m.day >= 1 && (m.day <= 28 || m.day <= daysIn(m.month, year)) &&
		m.hour >= 0 && m.hour <= 23 && m.minute >= 0 && m.minute <= 59 && m.second >= 0 && m.second <= 59
	return m, ok
}

// digits returns the number that two digits make, or a negative number if they are not digits.
func digits(text []byte, at int) int {
	tens, ones := text[at]-'0', text[at+1]-'0'
	if tens > 9 || ones > 9 {
		return -1
	}
	return int(tens)*10 + int(ones)
}

func daysIn(month, year int) int {
	return time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}
