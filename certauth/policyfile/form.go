package policyfile

import (
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

// form is how values of one Go type stand in a document. The three methods belong together:
// what decode takes is what encode writes and what schema describes.
type form interface {
	decode(d *decoder, n *node, into reflect.Value)
	encode(e *encoder, v reflect.Value) error
	schema(s *schema) map[string]any
}

// formOf returns the form of a type. A type that has none is a mistake of this package, which
// the tests find: they walk all types.
func formOf(t reflect.Type) form {
	if u, ok := unions[t]; ok {
		return &unionForm{t, u}
	}
	if list, ok := enums[t]; ok {
		return &enumForm{list}
	}
	switch t {
	case reflect.TypeFor[time.Duration]():
		return durationForm{}
	case reflect.TypeFor[certauth.PEM]():
		return textForm{}
	case reflect.TypeFor[certauth.PEMFile](), reflect.TypeFor[certauth.CertFile](), reflect.TypeFor[certauth.CertDir](),
		reflect.TypeFor[certauth.PinFile](), reflect.TypeFor[secretFile]():
		return textForm{file: true}
	case reflect.TypeFor[netip.Prefix]():
		return prefixForm{}
	case reflect.TypeFor[*url.URL]():
		return urlForm{}
	case reflect.TypeFor[[]byte]():
		return hexForm{}
	case reflect.TypeFor[*x509.Certificate](), reflect.TypeFor[[]*x509.Certificate]():
		return certificatesForm{}
	case reflect.TypeFor[*time.Time]():
		return instantForm{}
	}
	switch t.Kind() {
	case reflect.String:
		return textForm{}
	case reflect.Bool:
		return boolForm{}
	case reflect.Int:
		return intForm{}
	case reflect.Slice:
		return &listForm{elem: t.Elem()}
	case reflect.Map:
		return &mapForm{elem: t.Elem()}
	case reflect.Struct:
		return newStructForm(t)
	}
	panic("policyfile: no form for " + t.String())
}

// goNameOf is the name by which the tables know a type.
func goNameOf(t reflect.Type) string {
	if i := strings.LastIndexByte(t.PkgPath(), '/'); i >= 0 {
		return t.PkgPath()[i+1:] + "." + t.Name()
	}
	return t.String()
}

type textForm struct{ file bool }

func (f textForm) decode(d *decoder, n *node, into reflect.Value) {
	if n.kind != '"' {
		d.mistake(n, "%s, want a string", n.what())
		return
	}
	text := n.text
	if f.file {
		text = d.resolve(text)
	}
	if into.Kind() == reflect.Slice {
		into.SetBytes([]byte(text))
		return
	}
	into.SetString(text)
}

func (textForm) encode(e *encoder, v reflect.Value) error {
	if v.Kind() == reflect.Slice {
		return e.write(jsontext.String(string(v.Bytes())))
	}
	return e.write(jsontext.String(v.String()))
}

func (textForm) schema(*schema) map[string]any { return map[string]any{"type": "string"} }

type boolForm struct{}

func (boolForm) decode(d *decoder, n *node, into reflect.Value) {
	if n.kind != 't' && n.kind != 'f' {
		d.mistake(n, "%s, want true or false", n.what())
		return
	}
	into.SetBool(n.kind == 't')
}

func (boolForm) encode(e *encoder, v reflect.Value) error { return e.write(jsontext.Bool(v.Bool())) }

func (boolForm) schema(*schema) map[string]any { return map[string]any{"type": "boolean"} }

type intForm struct{}

func (intForm) decode(d *decoder, n *node, into reflect.Value) {
	if n.kind != '0' {
		d.mistake(n, "%s, want a whole number", n.what())
		return
	}
	// JSON knows one kind of number: 5, 5.0 and 5e0 are the same.
	f, err := strconv.ParseFloat(n.text, 64)
	if err != nil || f != math.Trunc(f) || f < math.MinInt32 || f > math.MaxInt32 {
		d.mistake(n, "%s, want a whole number between %d and %d", quoted(n.text), math.MinInt32, math.MaxInt32)
		return
	}
	into.SetInt(int64(f))
}

func (intForm) encode(e *encoder, v reflect.Value) error {
	if v.Int() < math.MinInt32 || v.Int() > math.MaxInt32 {
		return fmt.Errorf("%d does not fit into a document", v.Int())
	}
	return e.write(jsontext.Int(v.Int()))
}

func (intForm) schema(*schema) map[string]any {
	return map[string]any{"type": "integer", "minimum": math.MinInt32, "maximum": math.MaxInt32}
}

// durationForm is days, hours, minutes, seconds and so on, each at most once and in this order:
// "10d", "1h30m".
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
		count, _ := strconv.Atoi(digits) // nothing is 0, and the pattern lets five digits through
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

type hexForm struct{}

func (hexForm) decode(d *decoder, n *node, into reflect.Value) {
	der, err := hex.DecodeString(n.text)
	if n.kind != '"' || err != nil || len(der) == 0 {
		d.mistake(n, "want bytes in hex")
		return
	}
	into.SetBytes(der)
}

func (hexForm) encode(e *encoder, v reflect.Value) error {
	return e.write(jsontext.String(hex.EncodeToString(v.Bytes())))
}

func (hexForm) schema(*schema) map[string]any {
	return map[string]any{"type": "string", "pattern": "^([0-9A-Fa-f]{2})+$"}
}

type prefixForm struct{}

func (prefixForm) decode(d *decoder, n *node, into reflect.Value) {
	if n.kind != '"' {
		d.mistake(n, `%s, want a network such as "10.0.0.0/8"`, n.what())
		return
	}
	prefix, err := netip.ParsePrefix(n.text)
	if err != nil || prefix.Masked() != prefix {
		d.wrong(n, `%s is not a network such as "10.0.0.0/8"`, quoted(n.text))
		return
	}
	into.Set(reflect.ValueOf(prefix))
}

func (prefixForm) encode(e *encoder, v reflect.Value) error {
	return e.write(jsontext.String(fmt.Sprint(v.Interface())))
}

func (prefixForm) schema(*schema) map[string]any { return map[string]any{"type": "string"} }

type urlForm struct{}

func (urlForm) decode(d *decoder, n *node, into reflect.Value) {
	if n.kind != '"' {
		d.mistake(n, "%s, want a URL", n.what())
		return
	}
	u, err := url.Parse(n.text)
	if err != nil || u.Host == "" {
		d.wrong(n, "%s is not an absolute URL", quoted(n.text))
		return
	}
	into.Set(reflect.ValueOf(u))
}

func (urlForm) encode(e *encoder, v reflect.Value) error {
	return e.write(jsontext.String(fmt.Sprint(v.Interface())))
}

func (urlForm) schema(*schema) map[string]any { return map[string]any{"type": "string"} }

// certificatesForm is certificates by reference, read while the document is.
type certificatesForm struct{}

func (certificatesForm) decode(d *decoder, n *node, into reflect.Value) {
	var from certauth.CertSource
	formOf(reflect.TypeFor[certauth.CertSource]()).decode(d, n, reflect.ValueOf(&from).Elem())
	if from == nil {
		return
	}
	list := d.certificates(n, from)
	if into.Kind() == reflect.Slice {
		into.Set(reflect.ValueOf(list))
		return
	}
	if len(list) > 1 {
		d.wrong(n, "%d certificates, want one", len(list))
	} else if len(list) == 1 {
		into.Set(reflect.ValueOf(list[0]))
	}
}

func (certificatesForm) encode(*encoder, reflect.Value) error {
	return errors.New("certificates that are read with the document cannot be written back")
}

func (certificatesForm) schema(s *schema) map[string]any {
	return s.of(reflect.TypeFor[certauth.CertSource]())
}

// instantForm is a moment in UTC (RFC 3339), or "now", which is nil.
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

type enumForm struct{ words []word }

func (f *enumForm) decode(d *decoder, n *node, into reflect.Value) {
	names := f.names()
	i := slices.Index(names, n.text)
	if n.kind != '"' || i < 0 {
		what := n.what()
		if n.kind == '"' {
			what = quoted(n.text)
		}
		d.mistake(n, "%s, want one of: %s%s", what, strings.Join(names, ", "), didYouMean(n.text, names))
		return
	}
	into.Set(reflect.ValueOf(f.words[i].value).Convert(into.Type()))
}

func (f *enumForm) encode(e *encoder, v reflect.Value) error {
	for _, w := range f.words {
		if w.value == v.Interface() {
			return e.write(jsontext.String(w.name))
		}
	}
	return fmt.Errorf("%v has no name in a document", v.Interface())
}

func (f *enumForm) schema(*schema) map[string]any {
	return map[string]any{"type": "string", "enum": f.names()}
}

func (f *enumForm) names() []string {
	var names []string
	for _, w := range f.words {
		names = append(names, w.name)
	}
	return names
}

type listForm struct {
	elem  reflect.Type
	empty bool // may be
}

func (f *listForm) decode(d *decoder, n *node, into reflect.Value) {
	if n.kind != '[' {
		d.mistake(n, "%s, want a list", n.what())
		return
	}
	if len(n.items) == 0 && !f.empty {
		d.mistake(n, "an empty list")
		return
	}
	elem := formOf(f.elem)
	list := reflect.MakeSlice(into.Type(), len(n.items), len(n.items))
	for i, item := range n.items {
		elem.decode(d, item, list.Index(i))
	}
	into.Set(list)
}

func (f *listForm) encode(e *encoder, v reflect.Value) error {
	if v.Len() == 0 && !f.empty {
		return errors.New("an empty list")
	}
	if err := e.write(jsontext.BeginArray); err != nil {
		return err
	}
	elem := formOf(f.elem)
	for i := range v.Len() {
		if err := elem.encode(e, v.Index(i)); err != nil {
			return fmt.Errorf("[%d]: %w", i, err)
		}
	}
	return e.write(jsontext.EndArray)
}

func (f *listForm) schema(s *schema) map[string]any {
	list := map[string]any{"type": "array", "items": s.of(f.elem)}
	if !f.empty {
		list["minItems"] = 1
	}
	return list
}

// mapForm is values under names that the document chooses.
type mapForm struct{ elem reflect.Type }

const namePattern = `^[A-Za-z][A-Za-z0-9_-]{0,63}$`

var nameText = regexp.MustCompile(namePattern)

func (f *mapForm) decode(d *decoder, n *node, into reflect.Value) {
	if n.kind != '{' {
		d.mistake(n, "%s, want an object", n.what())
		return
	}
	if len(n.members) == 0 {
		d.mistake(n, "an empty object")
		return
	}
	elem := formOf(f.elem)
	result := reflect.MakeMap(into.Type())
	for _, m := range n.members {
		if !nameText.MatchString(m.name) {
			d.add(m.at, m.value, false, "%s is not a name of letters, digits, hyphens and underscores", []any{quoted(m.name)})
			continue
		}
		value := reflect.New(f.elem).Elem()
		elem.decode(d, m.value, value)
		result.SetMapIndex(reflect.ValueOf(m.name), value)
	}
	into.Set(result)
}

func (*mapForm) encode(*encoder, reflect.Value) error { return errors.New("not written") }

func (f *mapForm) schema(s *schema) map[string]any {
	return map[string]any{
		"type": "object", "minProperties": 1, "propertyNames": map[string]any{"pattern": namePattern},
		"additionalProperties": s.of(f.elem),
	}
}

type structForm struct {
	goName string
	fields []structField
}

type structField struct {
	name     string
	index    int
	goName   string
	required bool
	form     func() form // late, since policies hold policies
	typ      reflect.Type
}

func newStructForm(t reflect.Type) *structForm {
	f := &structForm{goName: goNameOf(t)}
	for i := range t.NumField() {
		field := t.Field(i)
		if _, left := omitted[f.goName+"."+field.Name]; left || !field.IsExported() {
			continue
		}
		sf := structField{name: jsonName(field.Name), index: i, goName: f.goName + "." + field.Name, typ: field.Type}
		sf.required = slices.Contains(required[f.goName], field.Name)
		sf.form = func() form {
			if files[sf.goName] {
				return textForm{file: true}
			}
			inner := formOf(sf.typ)
			if list, ok := inner.(*listForm); ok && mayBeEmpty[sf.goName] {
				list.empty = true
			}
			return inner
		}
		f.fields = append(f.fields, sf)
	}
	return f
}

// jsonName writes the name of a Go field as a member: MaxDepth becomes maxDepth, OID oid, and
// OCSPTimeout ocspTimeout.
func jsonName(name string) string {
	if name == "Schema" {
		return "$schema"
	}
	upper := 0
	for upper < len(name) && (unicode.IsUpper(rune(name[upper])) || unicode.IsDigit(rune(name[upper])) && upper > 0) {
		upper++
	}
	if upper > 1 && upper < len(name) {
		upper--
	}
	return strings.ToLower(name[:upper]) + name[upper:]
}

func (f *structForm) decode(d *decoder, n *node, into reflect.Value) {
	if n.kind != '{' {
		d.mistake(n, "%s, want an object", n.what())
		return
	}
	for _, m := range n.members {
		i := slices.IndexFunc(f.fields, func(field structField) bool { return field.name == m.name })
		if i < 0 {
			var known []string
			for _, field := range f.fields {
				known = append(known, field.name)
			}
			d.unknown(m, known)
			continue
		}
		field, before := into.Field(f.fields[i].index), d.found
		f.fields[i].form().decode(d, m.value, field)
		if saysZero(f.fields[i].form(), field) && d.found == before {
			d.wrong(m.value, "%s is read as if the member were missing; leave it out", m.value.text)
		}
	}
	for _, field := range f.fields {
		if field.required && n.member(field.name) == nil {
			d.mistake(n, "%s is missing", quoted(field.name))
		}
	}
}

// saysZero reports whether a number or a duration of 0 was read, which is the Go value's default
// and often a generous one.
func saysZero(f form, v reflect.Value) bool {
	switch f.(type) {
	case intForm, durationForm:
		return v.IsZero()
	}
	return false
}

func (f *structForm) encode(e *encoder, v reflect.Value) error {
	if err := e.write(jsontext.BeginObject); err != nil {
		return err
	}
	for i := range v.NumField() {
		name := f.goName + "." + v.Type().Field(i).Name
		if _, left := omitted[name]; left && !v.Field(i).IsZero() {
			return fmt.Errorf("%s has no place in a document", name)
		}
	}
	for _, field := range f.fields {
		value := v.Field(field.index)
		if value.IsZero() && !field.required {
			continue
		}
		if err := e.write(jsontext.String(field.name)); err != nil {
			return err
		}
		if err := field.form().encode(e, value); err != nil {
			return fmt.Errorf("%s: %w", field.name, err)
		}
	}
	return e.write(jsontext.EndObject)
}

func (f *structForm) schema(s *schema) map[string]any {
	properties := map[string]any{}
	var need []string
	for _, field := range f.fields {
		properties[field.name] = s.field(field)
		if field.required {
			need = append(need, field.name)
		}
	}
	object := map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
	if len(need) > 0 {
		object["required"] = need
	}
	if text := s.describe(f.goName); text != "" {
		object["description"] = text
	}
	return object
}

type unionForm struct {
	typ reflect.Type
	*union
}

func (f *unionForm) decode(d *decoder, n *node, into reflect.Value) {
	names := make([]string, len(f.kinds))
	for i, k := range f.kinds {
		names[i] = k.name
	}
	if n.kind != '{' {
		d.mistake(n, `%s, want an object whose one member says which %s it is, such as {"%s": ...}`, n.what(), f.name, names[0])
		return
	}
	if len(n.members) != 1 {
		d.mistake(n, "%d members, want exactly one: which %s it is", len(n.members), f.name)
		for _, m := range n.members {
			if !slices.Contains(names, m.name) {
				d.unknown(m, names)
			}
		}
		return
	}
	m := n.members[0]
	i := slices.Index(names, m.name)
	if i < 0 {
		d.unknown(m, names)
		return
	}
	k := f.kinds[i]
	body := reflect.New(k.shape).Elem()
	before := d.found
	formOf(k.shape).decode(d, m.value, body)
	if d.found > before {
		return // nothing is built of what could not be read
	}
	value := body.Interface()
	if k.build != nil {
		value = k.build(d, m.value, value)
	}
	if value = d.adjust(f.typ, value); value != nil {
		into.Set(reflect.ValueOf(value))
	}
}

func (f *unionForm) encode(e *encoder, v reflect.Value) error {
	for v.Kind() == reflect.Interface || v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return errors.New("nil")
		}
		v = v.Elem()
	}
	for _, k := range f.kinds {
		body, ok := v.Interface(), v.Type() == k.shape
		if k.take != nil {
			body, ok = k.take(e, v.Interface())
		}
		if !ok {
			continue
		}
		if err := errors.Join(e.write(jsontext.BeginObject), e.write(jsontext.String(k.name))); err != nil {
			return err
		}
		value := reflect.New(k.shape).Elem()
		if body != nil {
			value.Set(reflect.ValueOf(body))
		}
		if err := formOf(k.shape).encode(e, value); err != nil {
			return fmt.Errorf("%s: %w", k.name, err)
		}
		return e.write(jsontext.EndObject)
	}
	return fmt.Errorf("%s is code, and has no place in a document", v.Type())
}

func (f *unionForm) schema(s *schema) map[string]any {
	var choices []any
	for _, k := range f.kinds {
		body := s.of(k.shape)
		if text := s.describe(k.goName); text != "" {
			body = map[string]any{"allOf": []any{body}, "description": text}
		}
		choices = append(choices, map[string]any{
			"type": "object", "required": []string{k.name}, "additionalProperties": false,
			"properties": map[string]any{k.name: body},
		})
	}
	return map[string]any{"oneOf": choices}
}
