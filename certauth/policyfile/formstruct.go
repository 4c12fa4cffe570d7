package policyfile

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode"

	"github.com/go-json-experiment/json/jsontext"
)

type structForm struct {
	goName string
	fields []structField
}

type structField struct {
	name     string
	index    int
	goName   string
	required bool
	form     func() form // evaluated late, because policies contain policies
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

// jsonName converts the name of a Go field to that of a member: MaxDepth becomes maxDepth, OID oid,
// and OCSPTimeout ocspTimeout.
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
		if d.found == before && f.fields[i].saysZero(field) {
			d.wrong(m.value, "%s is read as if the member were missing; leave it out", cmp.Or(m.value.text, `""`))
		}
	}
	for _, field := range f.fields {
		if field.required && n.member(field.name) == nil {
			d.mistake(n, "%s is missing", quoted(field.name))
		}
	}
}

// saysZero reports whether the document contains a number or duration of 0, or an empty text although
// none is required. The Go value would replace it by its default, which is often generous.
func (f *structField) saysZero(v reflect.Value) bool {
	switch f.form().(type) {
	case intForm, durationForm:
		return v.IsZero()
	case textForm:
		return v.IsZero() && !f.required
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
