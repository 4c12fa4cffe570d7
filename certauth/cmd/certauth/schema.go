package main

import "github.com/seed2886b8ae/go-certauth/certauth/policyfile"

var schemaCommand = &command{
	name: "schema", short: "the JSON Schema of a policy document, for editors",
	long: `
Write it beside the document and name it there: "$schema": "policy.schema.json".`,
	run: func(p *program, c *command, args []string) (int, error) {
		if _, err := p.parse(c, p.flags(c), args, 0, 0); err != nil {
			return 0, err
		}
		_, err := p.out.Write(policyfile.Schema())
		return exitOK, err
	},
}
