package policyfile

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// durationForm is a sequence of days, hours, minutes, seconds and so on, each at most once and in
// this order: "10d", "1h30m".
type durationForm struct{}

const durationPattern = `^(?:([0-9]{1,5})d)?(?:([0-9]{1,5})h)?(?:([0-9]{1,5})m)?(?:([0-9]{1,5})s)?(?:([0-9]{1,5})ms)?(?:([0-9]{1,5})us)?(?:([0-9]{1,5})ns)?$`

var (
	durationText  = regexp.MustCompile(durationPattern)
	durationUnits = []struct {
		name string
		unit time.Duration
	}{
		{"d", 24 * time.Hour},
		{"h", time.Hour},
		{"m", time.Minute},
		{"s", time.Second},
		{"ms", time.Millisecond},
		{"us", time.Microsecond},
		{"ns", 1},
	}
)

func (durationForm) decode(d *decoder, n *node, into reflect.Value) {
	found := durationText.FindStringSubmatch(n.text)
	if n.kind != '"' || found == nil || n.text == "" {
		d.mistake(n, `want a duration such as "90s", "1h30m" or "10d"`)
		return
	}
	var total time.Duration
	for i, digits := range found[1:] {
		count, _ := strconv.Atoi(digits) // an empty text is 0, and the pattern permits at most five digits
		total += time.Duration(count) * durationUnits[i].unit
	}
	into.SetInt(int64(total))
}

func (durationForm) encode(e *encoder, v reflect.Value) error {
	left := time.Duration(v.Int())
	if left < 0 || left >= 100000*24*time.Hour {
		return fmt.Errorf("duration %s does not fit into a document", left)
	}
	var b strings.Builder
	for _, u := range durationUnits {
		if count := left / u.unit; count > 0 {
			fmt.Fprintf(&b, "%d%s", count, u.name)
			left %= u.unit
		}
	}
	if b.Len() == 0 {
		b.WriteString("0s")
	}
	return e.write(jsontext.String(b.String()))
}

func (durationForm) schema(*schema) map[string]any {
	return map[string]any{"type": "string", "minLength": 1, "pattern": strings.ReplaceAll(durationPattern, "?:", "")}
}

// instantForm is a time in UTC (RFC 3339), or "now", which is nil.
type instantForm struct{}

const instantPattern = `^(now|[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z|[0-9]{4}-(0[13-9]|1[0-2])-(29|30)T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z|[0-9]{4}-(0[13578]|1[02])-31T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z)$`

var instantText = regexp.MustCompile(instantPattern)

func (instantForm) decode(d *decoder, n *node, into reflect.Value) {
	if n.kind != '"' || !instantText.MatchString(n.text) {
		d.mistake(n, `want "now" or a moment in UTC such as "2026-12-01T00:00:00Z"`)
		return
	}
	if n.text == "now" {
		return
	}
	at, err := time.Parse(time.RFC3339, n.text)
	if err != nil {
		d.mistake(n, "%s is not a moment", quoted(n.text))
		return
	}
	into.Set(reflect.ValueOf(&at))
}

func (instantForm) encode(*encoder, reflect.Value) error { return errors.New("cases are not written") }

func (instantForm) schema(*schema) map[string]any {
	return map[string]any{"type": "string", "pattern": instantPattern}
}
