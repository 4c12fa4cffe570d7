package policyfile

import (
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

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
		return // build is not called for a value that could not be read
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
