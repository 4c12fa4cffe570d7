package policyfile

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

type textForm struct{ file bool }

func (f textForm) decode(d *decoder, n *node, into reflect.Value) {
	if n.kind != '"' {
		d.mistake(n, "%s, want a string", n.what())
		return
	}
	text := n.text
	if f.file {
		if looksSecret(text) {
			d.wrong(n, "this is a key or a certificate, or text that may be one; want the name of a file")
			return
		}
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
	// JSON has one kind of number: 5, 5.0 and 5e0 are equal.
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
		d.wrong(n, `not an absolute URL such as "http://proxy.example:3128"`) // not shown, because it may contain a password
		return
	}
	into.Set(reflect.ValueOf(u))
}

func (urlForm) encode(e *encoder, v reflect.Value) error {
	return e.write(jsontext.String(fmt.Sprint(v.Interface())))
}

func (urlForm) schema(*schema) map[string]any { return map[string]any{"type": "string"} }

// certificatesForm is the form of certificates by reference that are read together with the
// document.
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
