import { Controller, Get } from '@nestjs/common';
import { Claims, TokenIssuer } from 'nestjs-kms-jwt';

@Controller('orders')
export class OrdersController {
  /** A subject is unique for one issuer only. */
  @Get()
  list(@TokenIssuer() issuer: string, @Claims('sub') customer: string) {
    return { issuer, customer, orders: [{ id: 1, item: 'Analytical Engine' }] };
  }
}
