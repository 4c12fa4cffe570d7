package policyfile

import (
	_ "embed"
	"encoding/json"
	"reflect"
	"strings"
)

// Schema returns the JSON Schema (draft 2020-12) of a document, generated from the table that the
// decoder uses. It describes the form: members, types, the values of enumerations, required members.
// It cannot describe how values depend on each other, such as that every path of a policy needs an
// anchor; certauth.New checks that, and so does [Load].
func Schema() []byte {
	s := &schema{defs: map[string]any{}}
	root := s.build(reflect.TypeFor[content]())
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "go-certauth policy document"
	root["$defs"] = s.defs
	text, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		panic("policyfile: " + err.Error()) // maps, lists and texts can always be encoded
	}
	return append(text, '\n')
}

// descriptions holds the Go documentation of the values, written by a test.
//
//go:embed descriptions.json
var descriptions []byte

var described = func() map[string]string {
	all := map[string]string{}
	if err := json.Unmarshal(descriptions, &all); err != nil {
		panic("policyfile: descriptions.json: " + err.Error())
	}
	return all
}()

type schema struct {
	defs map[string]any
}

// of returns the schema of a type, as a reference if it is a struct or a union.
func (s *schema) of(t reflect.Type) map[string]any {
	var name string
	switch f := formOf(t).(type) {
	case *unionForm:
		name = f.name
	case *structForm:
		name = strings.ReplaceAll(f.goName, ".", "-")
	default:
		return f.schema(s)
	}
	if _, ok := s.defs[name]; !ok {
		s.defs[name] = nil // ends the recursion for a recursive type
		s.defs[name] = s.build(t)
	}
	return map[string]any{"$ref": "#/$defs/" + name}
}

func (s *schema) build(t reflect.Type) map[string]any { return formOf(t).schema(s) }

// field returns the schema of a member, with its description and default.
func (s *schema) field(field structField) map[string]any {
	var inner map[string]any
	switch f := field.form().(type) {
	case *unionForm, *structForm:
		inner = map[string]any{"allOf": []any{s.of(field.typ)}}
	default:
		inner = f.schema(s)
	}
	if text := s.describe(field.goName); text != "" {
		inner["description"] = text
	}
	if field.required {
		return inner
	}
	switch f := field.form().(type) {
	case boolForm:
		inner["default"] = false
	case *enumForm:
		for _, w := range f.words {
			if reflect.ValueOf(w.value).IsZero() {
				inner["default"] = w.name
			}
		}
		if field.goName == "policyfile.Case.Revocation" {
			inner["default"] = "good"
		}
	}
	return inner
}

func (s *schema) describe(goName string) string { return described[goName] }
