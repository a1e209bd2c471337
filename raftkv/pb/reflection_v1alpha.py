"""Generated from proto/grpc/reflection_v1alpha.proto by proto/generate.py. Do not edit."""

from raftkv.pb.pool import load

DESCRIPTOR = load(
    b'\n\x1dgrpc/reflection_v1alpha.proto\x12\x17grpc.reflection'
    b'.v1alpha"\xf8\x02\n\x17ServerReflectionRequest\x12\x12\n\x04host\x18\x01 \x01'
    b'(\tR\x04host\x12*\n\x10file_by_filename\x18\x03 \x01(\tH\x00R\x0efileByFile'
    b'name\x126\n\x16file_containing_symbol\x18\x04 \x01(\tH\x00R\x14fileCont'
    b'ainingSymbol\x12g\n\x19file_containing_extension\x18\x05 \x01(\x0b2'
    b').grpc.reflection.v1alpha.ExtensionRequestH\x00R\x17fi'
    b'leContainingExtension\x12B\n\x1dall_extension_numbers_o'
    b'f_type\x18\x06 \x01(\tH\x00R\x19allExtensionNumbersOfType\x12%\n\rlis'
    b't_services\x18\x07 \x01(\tH\x00R\x0clistServicesB\x11\n\x0fmessage_requ'
    b'est"f\n\x10ExtensionRequest\x12\'\n\x0fcontaining_type\x18\x01 \x01(\t'
    b'R\x0econtainingType\x12)\n\x10extension_number\x18\x02 \x01(\x05R\x0fexte'
    b'nsionNumber"\xc7\x04\n\x18ServerReflectionResponse\x12\x1d\n\nvali'
    b'd_host\x18\x01 \x01(\tR\tvalidHost\x12[\n\x10original_request\x18\x02 \x01('
    b'\x0b20.grpc.reflection.v1alpha.ServerReflectionRequ'
    b'estR\x0foriginalRequest\x12k\n\x18file_descriptor_response'
    b'\x18\x04 \x01(\x0b2/.grpc.reflection.v1alpha.FileDescriptorR'
    b'esponseH\x00R\x16fileDescriptorResponse\x12w\n\x1eall_extensi'
    b'on_numbers_response\x18\x05 \x01(\x0b20.grpc.reflection.v1al'
    b'pha.ExtensionNumberResponseH\x00R\x1ballExtensionNumbe'
    b'rsResponse\x12d\n\x16list_services_response\x18\x06 \x01(\x0b2,.grp'
    b'c.reflection.v1alpha.ListServiceResponseH\x00R\x14list'
    b'ServicesResponse\x12O\n\x0eerror_response\x18\x07 \x01(\x0b2&.grpc.'
    b'reflection.v1alpha.ErrorResponseH\x00R\rerrorRespons'
    b'eB\x12\n\x10message_response"L\n\x16FileDescriptorResponse\x12'
    b'2\n\x15file_descriptor_proto\x18\x01 \x03(\x0cR\x13fileDescriptorPr'
    b'oto"j\n\x17ExtensionNumberResponse\x12$\n\x0ebase_type_name'
    b'\x18\x01 \x01(\tR\x0cbaseTypeName\x12)\n\x10extension_number\x18\x02 \x03(\x05R\x0f'
    b'extensionNumber"Y\n\x13ListServiceResponse\x12B\n\x07servic'
    b'e\x18\x01 \x03(\x0b2(.grpc.reflection.v1alpha.ServiceRespons'
    b'eR\x07service"%\n\x0fServiceResponse\x12\x12\n\x04name\x18\x01 \x01(\tR\x04nam'
    b'e"S\n\rErrorResponse\x12\x1d\n\nerror_code\x18\x01 \x01(\x05R\terrorCod'
    b'e\x12#\n\rerror_message\x18\x02 \x01(\tR\x0cerrorMessage2\x93\x01\n\x10Serve'
    b'rReflection\x12\x7f\n\x14ServerReflectionInfo\x120.grpc.refle'
    b'ction.v1alpha.ServerReflectionRequest\x1a1.grpc.ref'
    b'lection.v1alpha.ServerReflectionResponse(\x010\x01b\x06pr'
    b'oto3',
    globals(),
)
