"""Generated from proto/grpc/reflection.proto by proto/generate.py. Do not edit."""

from raftkv.pb.pool import load

DESCRIPTOR = load(
    b'\n\x15grpc/reflection.proto\x12\x12grpc.reflection.v1"\xf3\x02\n\x17'
    b'ServerReflectionRequest\x12\x12\n\x04host\x18\x01 \x01(\tR\x04host\x12*\n\x10f'
    b'ile_by_filename\x18\x03 \x01(\tH\x00R\x0efileByFilename\x126\n\x16file_'
    b'containing_symbol\x18\x04 \x01(\tH\x00R\x14fileContainingSymbol\x12'
    b'b\n\x19file_containing_extension\x18\x05 \x01(\x0b2$.grpc.reflec'
    b'tion.v1.ExtensionRequestH\x00R\x17fileContainingExtens'
    b'ion\x12B\n\x1dall_extension_numbers_of_type\x18\x06 \x01(\tH\x00R\x19al'
    b'lExtensionNumbersOfType\x12%\n\rlist_services\x18\x07 \x01(\tH\x00'
    b'R\x0clistServicesB\x11\n\x0fmessage_request"f\n\x10ExtensionRe'
    b"quest\x12'\n\x0fcontaining_type\x18\x01 \x01(\tR\x0econtainingType\x12)"
    b'\n\x10extension_number\x18\x02 \x01(\x05R\x0fextensionNumber"\xae\x04\n\x18Se'
    b'rverReflectionResponse\x12\x1d\n\nvalid_host\x18\x01 \x01(\tR\tvali'
    b'dHost\x12V\n\x10original_request\x18\x02 \x01(\x0b2+.grpc.reflectio'
    b'n.v1.ServerReflectionRequestR\x0foriginalRequest\x12f\n'
    b'\x18file_descriptor_response\x18\x04 \x01(\x0b2*.grpc.reflectio'
    b'n.v1.FileDescriptorResponseH\x00R\x16fileDescriptorRes'
    b'ponse\x12r\n\x1eall_extension_numbers_response\x18\x05 \x01(\x0b2+.'
    b'grpc.reflection.v1.ExtensionNumberResponseH\x00R\x1bal'
    b'lExtensionNumbersResponse\x12_\n\x16list_services_respo'
    b"nse\x18\x06 \x01(\x0b2'.grpc.reflection.v1.ListServiceRespon"
    b'seH\x00R\x14listServicesResponse\x12J\n\x0eerror_response\x18\x07 \x01'
    b'(\x0b2!.grpc.reflection.v1.ErrorResponseH\x00R\rerrorRe'
    b'sponseB\x12\n\x10message_response"L\n\x16FileDescriptorResp'
    b'onse\x122\n\x15file_descriptor_proto\x18\x01 \x03(\x0cR\x13fileDescrip'
    b'torProto"j\n\x17ExtensionNumberResponse\x12$\n\x0ebase_type'
    b'_name\x18\x01 \x01(\tR\x0cbaseTypeName\x12)\n\x10extension_number\x18\x02 '
    b'\x03(\x05R\x0fextensionNumber"T\n\x13ListServiceResponse\x12=\n\x07s'
    b'ervice\x18\x01 \x03(\x0b2#.grpc.reflection.v1.ServiceRespons'
    b'eR\x07service"%\n\x0fServiceResponse\x12\x12\n\x04name\x18\x01 \x01(\tR\x04nam'
    b'e"S\n\rErrorResponse\x12\x1d\n\nerror_code\x18\x01 \x01(\x05R\terrorCod'
    b'e\x12#\n\rerror_message\x18\x02 \x01(\tR\x0cerrorMessage2\x89\x01\n\x10Serve'
    b'rReflection\x12u\n\x14ServerReflectionInfo\x12+.grpc.refle'
    b'ction.v1.ServerReflectionRequest\x1a,.grpc.reflecti'
    b'on.v1.ServerReflectionResponse(\x010\x01b\x06proto3',
    globals(),
)
