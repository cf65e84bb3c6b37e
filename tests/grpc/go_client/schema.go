package main

import (
	"fmt"
	"os"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

// The contract, as it was compiled.
type schema struct {
	files *protoregistry.Files
}

// Fields of a message by name. Numbers are int64 or float64; maps have string keys.
type fields map[string]any

func readSchema(path string) (*schema, error) {
	bytes, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var set descriptorpb.FileDescriptorSet
	if err := proto.Unmarshal(bytes, &set); err != nil {
		return nil, err
	}
	files, err := protodesc.NewFiles(&set)
	return &schema{files}, err
}

// An empty message of package sluice.v1.
func (s *schema) empty(name string) *dynamicpb.Message {
	found, err := s.files.FindDescriptorByName(protoreflect.FullName("sluice.v1." + name))
	if err != nil {
		panic(err)
	}
	return dynamicpb.NewMessage(found.(protoreflect.MessageDescriptor))
}

func (s *schema) message(name string, values fields) *dynamicpb.Message {
	message := s.empty(name)
	for field, value := range values {
		descriptor := message.Descriptor().Fields().ByName(protoreflect.Name(field))
		if descriptor == nil {
			panic(fmt.Sprintf("%s has no field %s", name, field))
		}
		switch value := value.(type) {
		case map[string]float64:
			entries := message.Mutable(descriptor).Map()
			for key, v := range value {
				entries.Set(protoreflect.ValueOfString(key).MapKey(), protoreflect.ValueOfFloat64(v))
			}
		case map[string]string:
			entries := message.Mutable(descriptor).Map()
			for key, v := range value {
				entries.Set(protoreflect.ValueOfString(key).MapKey(), protoreflect.ValueOfString(v))
			}
		default:
			message.Set(descriptor, protoreflect.ValueOf(value))
		}
	}
	return message
}

func get(message *dynamicpb.Message, field string) protoreflect.Value {
	return message.Get(message.Descriptor().Fields().ByName(protoreflect.Name(field)))
}
