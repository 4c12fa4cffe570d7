package evidence

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/cryptobyte"

	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// parsedTime returns the result of package time for the text if it formats the time in the same
// way, because it also reads signs instead of digits.
func parsedTime(tag byte, text string) (time.Time, bool) {
	layout := "060102150405Z"
	switch tag {
	case ocsptest.TagTime:
		layout = "20060102150405Z"
	case ocsptest.TagUTCTime:
	default:
		return time.Time{}, false
	}
	parsed, err := time.Parse(layout, text)
	if err != nil || parsed.Format(layout) != text {
		return time.Time{}, false
	}
	if tag == ocsptest.TagUTCTime && parsed.Year() >= 2050 {
		parsed = parsed.AddDate(-100, 0, 0)
	}
	return parsed, true
}

func checkTime(t *testing.T, tag byte, text string) {
	t.Helper()
	want, ok := parsedTime(tag, text)
	s := cryptobyte.String(ocsptest.Element(tag, []byte(text)))
	got, read := readTime(&s)
	require.Equal(t, ok, read, "%02x %q", tag, text)
	require.Equal(t, want, got, "%02x %q", tag, text)
}

// Every day of every year, its neighbours, and the ends of every field.
func TestReadTime_AgreesWithPackageTime(t *testing.T) {
	for year := range 10000 {
		for _, day := range []string{"0228", "0229", "0230", "1231"} {
			checkTime(t, ocsptest.TagTime, fmt.Sprintf("%04d%s000000Z", year, day))
			if year < 100 {
				checkTime(t, ocsptest.TagUTCTime, fmt.Sprintf("%02d%s235959Z", year, day))
			}
		}
	}
	for _, year := range []string{"26", "24", "00", "49", "50", "68", "69", "99"} {
		for month := range 14 {
			for day := range 33 {
				date := fmt.Sprintf("%s%02d%02d", year, month, day)
				checkTime(t, ocsptest.TagUTCTime, date+"120000Z")
				checkTime(t, ocsptest.TagTime, "19"+date+"120000Z")
				checkTime(t, ocsptest.TagTime, "20"+date+"120000Z")
			}
		}
	}
	for clock := range 100 {
		checkTime(t, ocsptest.TagUTCTime, fmt.Sprintf("260302%02d0000Z", clock))
		checkTime(t, ocsptest.TagUTCTime, fmt.Sprintf("26030200%02d00Z", clock))
		checkTime(t, ocsptest.TagUTCTime, fmt.Sprintf("2603020000%02dZ", clock))
	}
	const text = "20260302110405Z"
	for i := range text {
		for value := range 256 {
			changed := []byte(text)
			changed[i] = byte(value)
			checkTime(t, ocsptest.TagTime, string(changed))
			checkTime(t, ocsptest.TagUTCTime, string(changed[2:]))
		}
		checkTime(t, ocsptest.TagTime, text[:i])
		checkTime(t, ocsptest.TagUTCTime, text[i:])
	}
}

// Two digits, not a number of two characters: package time reads the first two.
func TestReadTime_SignsAreNoDigits(t *testing.T) {
	for _, text := range []string{"+50302110000Z", "-50302110000Z", "260302 10000Z", "2603021:0000Z", "26030211000.Z"} {
		s := cryptobyte.String(ocsptest.Element(ocsptest.TagUTCTime, []byte(text)))
		_, ok := readTime(&s)
		assert.False(t, ok, text)
	}
	parsed, err := time.Parse("060102150405Z", "+50302110000Z")
	require.NoError(t, err)
	assert.Equal(t, 2005, parsed.Year())
}

// FuzzReadTime compares the hand-written digits with what package time reads and formats.
func FuzzReadTime(f *testing.F) {
	for _, text := range []string{"260302110000Z", "20260302110000Z", "000229000000Z", "19000229000000Z", "500101000000Z", "260302110060Z", "2603021100Z", "+50302110000Z"} {
		f.Add(text, true)
		f.Add(text, false)
	}
	f.Fuzz(func(t *testing.T, text string, utc bool) {
		if len(text) > 40 {
			return
		}
		tag := ocsptest.TagTime
		if utc {
			tag = ocsptest.TagUTCTime
		}
		checkTime(t, tag, text)
	})
}
